//! The event stream of one reader: catches up from the ledger, then follows the feed, without gap and
//! without repeat, and tells each reader only what they may see.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use postroom_access::Principal;
use postroom_model::{AgentId, ConversationId, Role, Settings};
use postroom_records::{Key, Row};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::auth::Caller;
use crate::feed::{Audience, FeedItem, Slot};
use crate::gateway::App;
use crate::problem::Problem;
use crate::reach::{self, Whereabouts};

const KEEP_ALIVE: Bytes = Bytes::from_static(b": still here\n\n");
/// Sent at once, so that proxies pass the head on; `retry` is how long a browser waits to come back.
const WELCOME: Bytes = Bytes::from_static(b"retry: 1000\n: welcome\n\n");

/// A place in the ledger between two events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The envelopes up to this one are done with.
    pub(crate) seq: u64,
    /// So are the events up to this one.
    pub(crate) position: u64,
}

/// The place after the event at `position`; a problem if the ledger does not go that far.
pub(crate) async fn place_after(app: &App, position: u64) -> Result<Place, Problem> {
    let (last, seq, _) = crate::feed::tail(app.feed.ledger()).await?;
    if position > last {
        return Err(Problem::new(
            http::StatusCode::BAD_REQUEST,
            "position_beyond_end",
            format!("the last event has position {last}"),
        ));
    }
    if position == last {
        return Ok(Place { seq, position });
    }
    let holder = app.feed.ledger().find(position + 1).await?;
    Ok(Place { seq: holder.map_or(seq, |holder| holder.saturating_sub(1)), position })
}

/// The place after everything.
pub(crate) async fn place_now(app: &App) -> Result<Place, Problem> {
    let (position, seq, _) = crate::feed::tail(app.feed.ledger()).await?;
    Ok(Place { seq, position })
}

/// What an event stream holds of its reader.
struct Reader {
    app: App,
    caller: Caller,
    place: Place,
    head: watch::Receiver<Option<u64>>,
    waiting: VecDeque<Arc<Slot>>,
    checked_at: Instant,
    welcomed: bool,
    _permit: Permit,
}

/// Counts the stream for as long as it is open.
struct Permit {
    app: App,
    /// Whose inbox it is.
    agent: Option<AgentId>,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.app.metrics.streams.dec();
        if let Some(agent) = &self.agent {
            self.app.inboxes.leave(agent);
        }
    }
}

/// What happens next on a stream.
enum Step {
    Send(Bytes),
    /// Nothing to send now; look again.
    Again,
    End,
}

/// The bytes of an event stream from a place on.
pub(crate) fn open(
    app: App,
    caller: Caller,
    place: Place,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + Send, Problem> {
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable("too_many_streams", "as many event streams are open as may be")
    })?;
    app.metrics.streams.inc();
    let agent = caller.principal.agent.clone();
    if let Some(agent) = &agent {
        app.inboxes.enter(agent);
    }
    let permit = Permit { app: app.clone(), agent, _slot: permit };
    let reader = Reader {
        head: app.feed.head(),
        app,
        caller,
        place,
        waiting: VecDeque::new(),
        checked_at: Instant::now(),
        welcomed: false,
        _permit: permit,
    };
    Ok(futures_util::stream::unfold(reader, |mut reader| async move {
        loop {
            match reader.step().await {
                Step::Send(bytes) => return Some((Ok(bytes), reader)),
                Step::Again => {}
                Step::End => return None,
            }
        }
    }))
}

impl Reader {
    async fn step(&mut self) -> Step {
        if !self.welcomed {
            self.welcomed = true;
            return Step::Send(WELCOME);
        }
        if self.app.stop.is_cancelled() || !self.still_welcome().await {
            return Step::End;
        }
        let quiet_until = Instant::now() + Duration::from_millis(self.app.limits.keep_alive_ms);
        let stop = self.app.stop.clone();
        loop {
            let recheck = self.recheck_at();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Step::End,
                next = self.next_bytes() => return match next {
                    Ok(Some(bytes)) => Step::Send(bytes),
                    Ok(None) => Step::Again,
                    Err(problem) => {
                        tracing::warn!(?problem, "an event stream ends");
                        Step::End
                    }
                },
                () = tokio::time::sleep_until(quiet_until) => return Step::Send(KEEP_ALIVE),
                () = tokio::time::sleep_until(recheck) => {
                    if !self.still_welcome().await {
                        return Step::End;
                    }
                }
            }
        }
    }

    fn recheck_at(&self) -> Instant {
        self.checked_at + Duration::from_millis(self.app.limits.stream_recheck_ms)
    }

    /// Asks now and then whether the reader may still read, and as what. Where the store does not
    /// answer, nothing more is told.
    async fn still_welcome(&mut self) -> bool {
        let now = Instant::now();
        if now < self.recheck_at() {
            return true;
        }
        self.checked_at = now;
        match self.app.auth.holder(self.caller.secret, self.caller.kind).await {
            Ok(Some(principal)) => {
                self.caller.principal = principal;
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// The next events that the reader may see, of one envelope; none if it holds no such. The place
    /// moves only when all is known, so this may be broken off at any await.
    async fn next_bytes(&mut self) -> Result<Option<Bytes>, Problem> {
        let slot = loop {
            if let Some(slot) = self.waiting.front() {
                break Arc::clone(slot);
            }
            self.head.mark_unchanged();
            let slots = self.app.feed.after(self.place.seq).await?;
            if slots.is_empty() {
                // An error means that the feed is gone with its gateway; `stop` ends the stream.
                if self.head.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            self.waiting.extend(slots);
        };
        let visible =
            visible(&self.app, &self.caller.principal, &slot, self.place.position).await?;
        let mut bytes = BytesMut::new();
        for item in visible {
            write_frame(&mut bytes, item);
        }
        let last = slot.envelope()?.last_event();
        self.place = Place { seq: slot.seq, position: last.max(self.place.position) };
        self.waiting.pop_front();
        Ok((!bytes.is_empty()).then(|| bytes.freeze()))
    }
}

fn write_frame(bytes: &mut BytesMut, item: &FeedItem) {
    bytes.reserve(item.json.get().len() + item.kind.len() + 48);
    bytes.put_slice(b"id: ");
    bytes.put_slice(item.position.to_string().as_bytes());
    bytes.put_slice(b"\nevent: ");
    bytes.put_slice(item.kind.as_bytes());
    bytes.put_slice(b"\ndata: ");
    bytes.put_slice(item.json.get().as_bytes());
    bytes.put_slice(b"\n\n");
}

/// The events of an envelope after `position` that somebody may see.
pub(crate) async fn visible<'a>(
    app: &App,
    principal: &Principal,
    slot: &'a Slot,
    position: u64,
) -> Result<Vec<&'a FeedItem>, Problem> {
    let items = slot.items()?;
    let new = items.iter().filter(|item| item.position > position);
    let by_conversation = match principal.role {
        Role::Supervisor | Role::Admin => false,
        Role::Agent | Role::Integrator => true,
    };
    let empty = BTreeMap::new();
    let whereabouts = if by_conversation { whereabouts(app, slot).await? } else { &empty };
    let settings = app.settings_now();
    Ok(new.filter(|item| sees(principal, &settings, &item.audience, whereabouts)).collect())
}

fn sees(
    principal: &Principal,
    settings: &Settings,
    audience: &Audience,
    whereabouts: &BTreeMap<ConversationId, Whereabouts>,
) -> bool {
    let agent = principal.agent.as_ref();
    match (principal.role, audience) {
        (Role::Admin, _) => true,
        (Role::Supervisor, audience) => *audience != Audience::Admins,
        (Role::Agent, Audience::Agent(about)) => agent == Some(about),
        (Role::Agent, Audience::Conversation(id, concerned)) => {
            agent.is_some_and(|agent| concerned.contains(agent))
                || whereabouts.get(id).is_some_and(|at| reach::may_see(principal, settings, at))
        }
        (_, Audience::Channel(channel)) => reach::hears_calls_of(principal, settings, channel),
        (Role::Integrator, Audience::Conversation(id, _)) => {
            whereabouts.get(id).is_some_and(|at| reach::may_see(principal, settings, at))
        }
        (Role::Agent | Role::Integrator, _) => false,
    }
}

/// Where the conversations of an envelope are. Waits until the records hold it; asked once for all
/// readers.
async fn whereabouts<'a>(
    app: &App,
    slot: &'a Slot,
) -> Result<&'a BTreeMap<ConversationId, Whereabouts>, Problem> {
    slot.whereabouts
        .get_or_try_init(|| async {
            let ids: BTreeSet<ConversationId> = slot
                .items()?
                .iter()
                .filter_map(|item| match &item.audience {
                    Audience::Conversation(id, _) => Some(*id),
                    Audience::Agent(_)
                    | Audience::Channel(_)
                    | Audience::Supervisors
                    | Audience::Admins => None,
                })
                .collect();
            if ids.is_empty() {
                return Ok(BTreeMap::new());
            }
            app.records_reach(slot.seq).await;
            let keys: Vec<Key> = ids.iter().copied().map(Key::Conversation).collect();
            let rows = app.records.load(&keys).await?;
            let found = ids.into_iter().zip(rows).filter_map(|(id, row)| match row {
                Some(Row::Conversation(conversation)) => {
                    Some((id, Whereabouts::from(conversation.as_ref())))
                }
                _ => None,
            });
            Ok(found.collect())
        })
        .await
}
