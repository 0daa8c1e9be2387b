//! One cycle: look up, decide a batch, append one envelope, begin to write the records.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::Entry;
use postroom_model::digest::Digest;
use postroom_model::envelope::ENVELOPE_VERSION;
use postroom_model::{
    Bodies, Envelope, Event, EventBody, Input, Outcome, OutcomeKind, ParkedId, Position, Timestamp,
    Transition, ids,
};
use postroom_records::{Ground, RecordsError, Sheet, Standing};
use postroom_routing::{
    DUE_MAX, Earlier, RuleError, RuleFacts, Rules, State, Step, step, step_due,
};
use uuid::Uuid;

use crate::batch::{Item, items};
use crate::behind::Behind;
use crate::codes::INPUT_POISONOUS;
use crate::lookup::{Found, end_of_merges, lookups, may_open, preload};
use crate::recover::{Recovered, Tail, catch_up_until_done, standing_of};
use crate::{RouterError, RouterParts};

/// A router that decides: the live state and the place of which it is the fold.
pub(crate) struct Active<'p> {
    parts: &'p RouterParts,
    pub(crate) state: State,
    pub(crate) tail: Tail,
    /// Where the records stand once what is under way is written.
    standing: Standing,
    behind: Option<Behind>,
    writer: Uuid,
    epoch: u64,
    rules: Option<Rules>,
    /// The settings that `rules` were compiled from.
    rules_of: Option<Arc<postroom_model::Settings>>,
    /// Inputs that brought the core down before.
    poisonous: BTreeSet<Position>,
}

/// A batch while it is decided.
struct Draft {
    /// When it is decided.
    at: Timestamp,
    transitions: Vec<Transition>,
    bodies: Bodies,
    sheet: Sheet,
    next_event: u64,
}

impl Draft {
    fn add(&mut self, step: Step) {
        self.bodies.extend(step.bodies);
        let transition = step.transition;
        if let Some(outcome) = &transition.outcome {
            self.sheet.fold_outcome(outcome, self.at);
        }
        for event in &transition.events {
            self.sheet.fold(self.next_event, &transition, event, &self.bodies);
            self.next_event += 1;
        }
        self.transitions.push(transition);
    }
}

impl<'p> Active<'p> {
    pub(crate) fn new(
        parts: &'p RouterParts,
        recovered: Recovered,
        standing: Standing,
        poisonous: &BTreeSet<Position>,
    ) -> Self {
        Self {
            parts,
            epoch: recovered.tail.epoch + 1,
            state: recovered.state,
            tail: recovered.tail,
            standing,
            behind: None,
            writer: parts.ids.next(),
            rules: None,
            rules_of: None,
            poisonous: poisonous.clone(),
        }
    }

    /// Decides these publishes and what time has brought. After an error the state may be ahead of
    /// the ledger and must be thrown away.
    pub(crate) async fn cycle(&mut self, entries: &[Entry]) -> Result<usize, RouterError> {
        let started = tokio::time::Instant::now();
        let now = self.parts.clock.now();
        let items = items(entries, now);
        self.keep_unreadable(&items).await?;
        let mut draft = Draft {
            at: now,
            transitions: Vec::with_capacity(items.len()),
            bodies: Bodies::new(),
            sheet: Sheet::new(),
            next_event: self.tail.last_event + 1,
        };
        self.preload(&mut draft.sheet, items.iter().map(|item| &*item.input), now).await?;
        let count = items.len();
        for item in items {
            self.decide(item, &mut draft)?;
        }
        self.time(&mut draft);
        if entries.is_empty() && draft.transitions.is_empty() {
            return Ok(0);
        }
        let outcomes = draft.transitions.iter().filter_map(|one| one.outcome.as_ref());
        let kinds: Vec<OutcomeKind> = outcomes.map(|outcome| outcome.kind).collect();
        let (inlet_seq, before) =
            (entries.last().map_or(self.tail.inlet_seq, |entry| entry.seq), self.tail.last_event);
        self.commit(draft, inlet_seq).await?;
        let events = self.tail.last_event - before;
        self.parts.metrics.appended(&kinds, events, started.elapsed().as_secs_f64());
        Ok(count)
    }

    /// The records may be away for a while; accepting goes on and routing waits.
    async fn preload(
        &mut self,
        sheet: &mut Sheet,
        inputs: impl Iterator<Item = &Input> + Clone,
        now: Timestamp,
    ) -> Result<(), RouterError> {
        loop {
            let ground = self.ground(self.tail.seq);
            match preload(ground, &self.state, sheet, inputs.clone(), now).await {
                Err(error) if error.retryable() => {
                    tracing::warn!(code = error.code(), "look-up failed; trying again");
                    *sheet = Sheet::new();
                    self.resync().await?;
                }
                other => return other,
            }
        }
    }

    /// The records with what is being written above them, as of this envelope.
    fn ground(&self, seq: u64) -> Ground<'_> {
        let above = self.behind.as_ref().map(Behind::above);
        Ground { records: self.parts.records.as_ref(), above, seq }
    }

    /// Waits until the records hold what was decided.
    pub(crate) async fn settle(&mut self) -> Result<(), RouterError> {
        let Some(behind) = self.behind.take() else { return Ok(()) };
        match behind.ended().await {
            Ok(()) => Ok(()),
            // Another process rebuilds them, or projected this envelope already.
            Err(RecordsError::Moved { .. }) => self.resync().await,
            Err(error) if error.retryable() => {
                tracing::warn!(code = error.code(), "the records were not written; catching up");
                self.resync().await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks whether the records still stand at our tail: people read them also while nothing comes.
    pub(crate) async fn look(&mut self) -> Result<(), RouterError> {
        self.settle().await?;
        match self.parts.records.standing().await {
            Ok(standing) if standing == self.standing => Ok(()),
            _ => self.resync().await,
        }
    }

    /// Brings the records to our tail and learns where they stand.
    async fn resync(&mut self) -> Result<(), RouterError> {
        if let Some(behind) = self.behind.take() {
            // Whatever came of it, where they stand is asked now.
            drop(behind.ended().await);
        }
        let parts = self.parts;
        let (ledger, records) = (parts.ledger.as_ref(), parts.records.as_ref());
        self.standing = catch_up_until_done(ledger, records, &parts.limits).await?;
        if self.standing.seq > self.tail.seq {
            return Err(RouterError::SteppedDown);
        }
        Ok(())
    }

    /// What could not be read is durable as a blob before it is parked.
    async fn keep_unreadable(&self, items: &[Item]) -> Result<(), RouterError> {
        for raw in items.iter().filter_map(|item| item.raw.as_ref()) {
            self.parts.blobs.put(raw.clone()).await?;
        }
        Ok(())
    }

    fn decide(&mut self, item: Item, draft: &mut Draft) -> Result<(), RouterError> {
        let Item { position, input, .. } = item;
        let seen = draft.sheet.seen(input.id).is_some();
        if !seen && self.poisonous.contains(&position) {
            let detail = "the core could not decide it".to_owned();
            draft.add(parked(position, *input, INPUT_POISONOUS, detail));
            return Ok(());
        }
        self.compile_rules();
        let sheet = &draft.sheet;
        let (state, rules) = (&mut self.state, self.rules.as_ref());
        let metrics = &self.parts.metrics;
        // What it has made of the state by then is thrown away.
        let decided =
            catch_unwind(AssertUnwindSafe(|| decide_one(state, rules, position, *input, sheet)));
        let (step, failed) = decided.map_err(|_| RouterError::Poisoned(position))?;
        metrics.rules_failed(failed);
        draft.add(step);
        Ok(())
    }

    fn compile_rules(&mut self) {
        let settings = self.state.settings();
        let same = match (settings, &self.rules_of) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        // Settings whose rules do not compile are refused before they come into force; those of an
        // older version may hold one that is refused now.
        self.rules = settings.and_then(|settings| {
            let refused = |errors: &Vec<RuleError>| {
                let why = errors.first().map_or_else(String::new, ToString::to_string);
                tracing::error!(%why, "no rule is asked until the configuration is mended");
            };
            Rules::compile(settings).inspect_err(refused).ok()
        });
        self.rules_of = settings.cloned();
    }

    /// What time has brought, as much as one envelope takes; the next cycle goes on.
    fn time(&mut self, draft: &mut Draft) {
        for _ in 0..DUE_MAX {
            if self.state.next_deadline().is_none_or(|at| at > draft.at) {
                break;
            }
            let sheet = &draft.sheet;
            let past = |id| sheet.conversation(end_of_merges(id, sheet));
            let Some(step) = step_due(&mut self.state, draft.at, &past) else {
                break;
            };
            draft.add(step);
        }
    }

    async fn commit(&mut self, mut draft: Draft, inlet_seq: u64) -> Result<(), RouterError> {
        let parts = self.parts;
        let mut envelope = Envelope {
            v: ENVELOPE_VERSION,
            epoch: self.epoch,
            writer: self.writer,
            at: draft.at,
            prev_hash: self.tail.hash,
            inlet_seq,
            first_event: self.tail.last_event + 1,
            transitions: std::mem::take(&mut draft.transitions),
            bodies_hash: Digest::ZERO,
            bodies: std::mem::take(&mut draft.bodies),
        };
        let encoded = envelope.encode().map_err(|error| RouterError::LedgerDamaged {
            seq: self.tail.seq + 1,
            cause: error.to_string(),
        })?;
        let bytes = Bytes::from(encoded.bytes);
        let events = (envelope.first_event, envelope.last_event());
        let (ledger, limits) = (parts.ledger.as_ref(), &parts.limits);
        let seq = crate::append::append(ledger, limits, self.tail.seq, events, &bytes).await?;
        let before = self.tail;
        self.tail = Tail::after(seq, encoded.head_hash, &envelope);
        if let Err(error) = self.project(draft.sheet, before, seq, &envelope).await {
            if !error.retryable() {
                return Err(error);
            }
            tracing::warn!(code = error.code(), "the records were not written; catching up");
            self.resync().await?;
        }
        Ok(())
    }

    /// Begins to write what the envelope makes of the records, which stood at `before` without it.
    async fn project(
        &mut self,
        mut sheet: Sheet,
        before: Tail,
        seq: u64,
        envelope: &Envelope,
    ) -> Result<(), RouterError> {
        sheet.finish(envelope, self.standing);
        loop {
            let keys = sheet.deferred_keys();
            if keys.is_empty() {
                break;
            }
            self.ground(before.seq).load(&mut sheet, keys).await?;
            sheet.settle();
        }
        self.settle().await?;
        if self.standing.seq != before.seq {
            // They were brought to the ledger's tail, and hold this envelope too.
            return Ok(());
        }
        let (parts, to) = (self.parts, standing_of(seq, envelope));
        let changes = sheet.into_changes().into();
        let behind = Behind::begin(&parts.tasks, &parts.records, (before.seq, to), changes);
        let tells_all = behind.above().tells_all();
        (self.standing, self.behind) = (to, Some(behind));
        if tells_all { Ok(()) } else { self.settle().await }
    }
}

/// Asks the rules, where they matter, and the core; with it, how many rules failed.
fn decide_one(
    state: &mut State,
    rules: Option<&Rules>,
    position: Position,
    input: Input,
    sheet: &Sheet,
) -> (Step, usize) {
    let found = Found::of(&input, state, sheet);
    let mut lookups = lookups(&input, sheet, &found);
    let inbound = found.message(&input, sheet).filter(|inbound| may_open(inbound, state, sheet));
    let routed = inbound.zip(rules).and_then(|(inbound, rules)| {
        let channel = state.settings()?.channel(&inbound.channel)?;
        let contact = lookups.contact;
        Some(rules.route(RuleFacts {
            contact,
            open: contact.map_or(0, |contact| state.open_of(contact.id)),
            earlier: lookups.conversation.map(Earlier::from),
            ..RuleFacts::new(&inbound.message, channel, input.at)
        }))
    });
    lookups.routed = routed.as_ref();
    let failed = routed.as_ref().map_or(0, |routed| routed.trace.failed.len());
    (step(state, position, input, &lookups), failed)
}

/// Sets an input aside without asking the core.
fn parked(position: Position, input: Input, code: &str, detail: String) -> Step {
    let at = input.at;
    let seed = [position.seq, u64::from(position.index)];
    let outcome = Outcome {
        position,
        input: input.id,
        kind: OutcomeKind::Parked,
        code: Some(code.to_owned()),
        detail: Some(detail.clone()),
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    };
    let event = Event::global(EventBody::InputParked {
        id: ParkedId(ids::decided(at, "parked", &seed)),
        code: code.to_owned(),
        detail,
        input: Box::new(input),
    });
    let transition = Transition { outcome: Some(outcome), at, events: vec![event] };
    Step { transition, bodies: vec![] }
}
