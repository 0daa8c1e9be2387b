//! A change on its way: given to the inlet, its outcome awaited on the ledger's tail, and the records
//! awaited there too, so that whoever changed something reads it changed.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use postroom_bus::{ReadLimits, decode_batch};
use postroom_model::{
    Action, Command, CommandId, ConversationId, Input, InputBody, InputId, Outcome, OutcomeKind,
    Position,
};
use postroom_records::{Key, Row, Totals};

use crate::auth::Caller;
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach;

/// Characters in an `Idempotency-Key`.
const KEY_CHARS_MAX: usize = 255;

/// Publishes of the inlet that are looked through for a command without an outcome.
const WAITING_READ_MAX: usize = 4_096;

/// A read does not wait for records that are further behind than this; they are being rebuilt.
const LAG_WORTH_WAITING: u64 = 1_000;

/// Where the records give no word of their own, they are asked again after this.
const STANDING_AGAIN: Duration = Duration::from_millis(20);

/// What became of a change within the time that a caller waits.
#[derive(Debug)]
pub(crate) enum Settled {
    Done(Outcome),
    Pending,
}

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(value) = given.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().filter(|key| (1..=KEY_CHARS_MAX).contains(&key.len()));
    // Of two keys nobody knows which one names the change.
    let key = key.filter(|_| given.next().is_none());
    key.map(Some).ok_or_else(|| {
        let detail = "an Idempotency-Key is given once and has 1 to 255 visible ASCII characters";
        Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail)
    })
}

/// The id of the change that a request asks for: the same for the same caller and key.
pub(crate) fn command_id(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<(CommandId, bool), Problem> {
    Ok(match idempotency_key(headers)? {
        Some(key) => (CommandId::of_key(&app.workspace, &caller.identity(), key), true),
        None => (CommandId(app.ids.next()), false),
    })
}

/// The outcome of an earlier request with the same key, which must have asked for the same.
pub(crate) async fn repeated(
    app: &App,
    (id, keyed): (CommandId, bool),
    action: &Action,
) -> Result<Option<Settled>, Problem> {
    if !keyed {
        return Ok(None);
    }
    match seen(app, InputId(id.0)).await? {
        Some(outcome) => same_request(app, action, outcome).await.map(Some),
        None => Ok(None),
    }
}

/// Asks for a change and waits for its outcome. A refusal is an outcome too, not a problem.
pub(crate) async fn submit(
    app: &App,
    caller: &Caller,
    id: CommandId,
    action: Action,
) -> Result<Settled, Problem> {
    let input_id = InputId(id.0);
    let mut waiter = app.feed.wait_for(input_id).await;
    let command = Command { id, actor: caller.principal.actor(), action: action.clone() };
    let input =
        Input { id: input_id, at: app.clock.now(), body: InputBody::Command(Box::new(command)) };
    app.intake.accept(&input).await?;
    app.metrics.accepted.inc();
    let settled = tokio::time::timeout(app.limits.command_wait(), async {
        let (seq, outcome) = waiter.outcome().await?;
        app.records_reach(seq).await;
        Some(outcome)
    });
    match settled.await {
        Ok(Some(outcome)) if outcome.kind == OutcomeKind::Duplicate => {
            // Somebody sent the same key at the same time; the first outcome counts for both.
            match seen(app, input_id).await? {
                Some(first) => same_request(app, &action, first).await,
                None => Ok(Settled::Done(outcome)),
            }
        }
        Ok(Some(outcome)) => Ok(Settled::Done(outcome)),
        Ok(None) | Err(_) => {
            app.metrics.commands_pending.inc();
            Ok(Settled::Pending)
        }
    }
}

/// The first outcome, if what was asked for then is what is asked for now. The inlet has the first
/// request in full for as long as it keeps it; after that the outcome's conversation must do.
async fn same_request(app: &App, action: &Action, outcome: Outcome) -> Result<Settled, Problem> {
    let same = match first_request(app, outcome.position).await? {
        Some(input) if input.id == outcome.input => asks_for(&input, action),
        _ => outcome.conversation.is_none_or(|about| names(action, about)),
    };
    if same { Ok(Settled::Done(outcome)) } else { Err(key_reused()) }
}

fn asks_for(input: &Input, action: &Action) -> bool {
    let InputBody::Command(command) = &input.body else {
        return false;
    };
    match (&command.action, action) {
        (Action::LogCall { call: first, .. }, Action::LogCall { conversation, call, resolve }) => {
            // Where nobody says when it was, it was as the request came.
            let mut again = call.clone();
            again.started_at = first.started_at;
            again.answered_at = first.answered_at;
            again.ended_at = first.ended_at;
            let (conversation, resolve) = (*conversation, *resolve);
            command.action == Action::LogCall { conversation, call: again, resolve }
        }
        (first, again) => first == again,
    }
}

/// Whether a change may be about this conversation. What was set aside can become part of any.
fn names(action: &Action, conversation: ConversationId) -> bool {
    match action {
        Action::RetryParked { .. } | Action::DropParked { .. } => true,
        Action::Merge { into, .. } if *into == conversation => true,
        _ => action.conversation() == Some(conversation),
    }
}

/// The input that stands there, if the inlet still has it and it can be read.
async fn first_request(app: &App, at: Position) -> Result<Option<Input>, Problem> {
    let one = ReadLimits { entries_max: 1, ..ReadLimits::default() };
    let entries = app.inlet.read(at.seq.saturating_sub(1), one).await?;
    let Some(entry) = entries.first().filter(|entry| entry.seq == at.seq) else {
        return Ok(None);
    };
    let index = usize::try_from(at.index).unwrap_or(usize::MAX);
    Ok(decode_batch(&entry.bytes).into_iter().nth(index).and_then(Result::ok))
}

pub(crate) fn key_reused() -> Problem {
    let detail = "this Idempotency-Key was used for another change";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
}

/// Whether an input that has no outcome is on its way: its caller waits here, or it stands in the
/// inlet behind what is decided. More than [`WAITING_READ_MAX`] publishes are not looked through, and
/// what is behind them counts as on its way.
pub(crate) async fn on_its_way(app: &App, input: InputId) -> Result<bool, Problem> {
    if app.feed.is_awaited(input) {
        return Ok(true);
    }
    let mut after = totals(app).await?.inlet_seq;
    let mut read = 0;
    while read < WAITING_READ_MAX {
        let entries = app.inlet.read(after, ReadLimits::default()).await?;
        let Some(last) = entries.last() else {
            return Ok(false);
        };
        (after, read) = (last.seq, read + entries.len());
        let mut inputs = entries.iter().flat_map(|entry| decode_batch(&entry.bytes));
        if inputs.any(|one| one.is_ok_and(|one| one.id == input)) {
            return Ok(true);
        }
    }
    Ok(true)
}

/// How many inputs ended in which way, as the records have it.
pub(crate) async fn totals(app: &App) -> Result<Totals, Problem> {
    match reach::load_row(app, Key::Totals).await? {
        Some(Row::Totals(totals)) => Ok(totals),
        _ => Ok(Totals::default()),
    }
}

/// The outcome of an input, if the records remember it.
pub(crate) async fn seen(app: &App, input: InputId) -> Result<Option<Outcome>, Problem> {
    match reach::load_row(app, Key::Seen(input)).await? {
        Some(Row::Seen(seen)) => Ok(Some(seen.outcome)),
        _ => Ok(None),
    }
}

impl App {
    /// Waits until the records hold the envelope `seq`; without end if they never do.
    pub(crate) async fn records_reach(&self, seq: u64) {
        let mut changes = self.records.changes();
        loop {
            if *changes.borrow_and_update() >= seq {
                return;
            }
            if self.records.standing().await.is_ok_and(|standing| standing.seq >= seq) {
                return;
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = tokio::time::sleep(STANDING_AGAIN) => {}
            }
        }
    }

    /// Gives the records a moment to hold what event streams have told already, so that who hears of
    /// a conversation also finds it. Records that are being rebuilt are read as they are.
    pub(crate) async fn settle_records(&self) {
        let told = self.feed.seq();
        let stands = *self.records.changes().borrow();
        if stands >= told || told - stands > LAG_WORTH_WAITING {
            return;
        }
        let wait = Duration::from_millis(self.limits.read_wait_ms);
        // What is not there in time is read as it is.
        drop(tokio::time::timeout(wait, self.records_reach(told)).await);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::idempotency_key;

    #[test]
    fn two_keys_name_no_change() {
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers).unwrap(), None);
        headers.append("idempotency-key", HeaderValue::from_static("k1"));
        assert_eq!(idempotency_key(&headers).unwrap(), Some("k1"));
        headers.append("idempotency-key", HeaderValue::from_static("k1"));
        assert!(idempotency_key(&headers).is_err());
    }
}
