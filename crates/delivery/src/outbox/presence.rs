//! Whether the hosts that took channels from this one are still there.
//!
//! Whoever lost a channel asks from time to time; owners answer, and who owes an answer for too long is
//! taken for gone. Nobody asks where nobody has lost anything, so a host that is alone says nothing. No
//! safety hangs on it: who owns a channel is decided by the router, and a host that was slow to answer
//! loses its channel as to any other that comes.

use std::collections::BTreeSet;

use postroom_model::{HostId, Timestamp};

/// Between two questions, whoever asks, in milliseconds.
pub(crate) const ASK_EVERY_MS: i64 = 60_000;
/// For how long an answer is waited for, from when the question stands in the ledger.
pub(crate) const ANSWER_WAIT_MS: i64 = 30_000;
/// Between two answers of one host.
const ANSWER_EVERY_MS: i64 = 5_000;

#[derive(Debug, Default)]
pub(super) struct Presence {
    /// When somebody last asked, as long as it is open who is there.
    asked_at: Option<Timestamp>,
    /// Hosts that were heard of since.
    heard: BTreeSet<HostId>,
    /// Not before then is asked again.
    ask_at: Option<Timestamp>,
    /// Somebody asked, and this host has not answered.
    owes: bool,
    answered_at: Option<Timestamp>,
}

impl Presence {
    /// A host says that it is there; `asks` if it wants to know who else is.
    pub(super) fn said(&mut self, host: HostId, asks: bool, own: bool, now: Timestamp) {
        if asks {
            self.heard.clear();
            self.asked_at = Some(now);
            self.ask_at = Some(now.plus_millis(ASK_EVERY_MS));
            self.owes |= !own;
        }
        self.heard.insert(host);
    }

    /// Whether it is time to ask. Whoever has just lost something waits first.
    pub(super) fn asks(&mut self, now: Timestamp) -> bool {
        let at = *self.ask_at.get_or_insert_with(|| now.plus_millis(ASK_EVERY_MS));
        if now < at {
            return false;
        }
        self.ask_at = Some(now.plus_millis(ASK_EVERY_MS));
        true
    }

    /// Who is there, once those that were asked had time to answer; told once for each question.
    pub(super) fn judged(&mut self, now: Timestamp) -> Option<BTreeSet<HostId>> {
        self.asked_at.filter(|at| at.plus_millis(ANSWER_WAIT_MS) <= now)?;
        self.asked_at = None;
        Some(self.heard.clone())
    }

    /// Whether it is time to answer.
    pub(super) fn answers(&mut self, now: Timestamp) -> bool {
        if !self.owes || self.answers_at().is_some_and(|at| now < at) {
            return false;
        }
        (self.owes, self.answered_at) = (false, Some(now));
        true
    }

    fn answers_at(&self) -> Option<Timestamp> {
        self.answered_at.map(|at| at.plus_millis(ANSWER_EVERY_MS))
    }

    /// When there is something to say of itself, for a host that lost a channel or owns one.
    pub(super) fn next_deadline(&self, lost: bool, owns: bool) -> Option<Timestamp> {
        let judged = self.asked_at.map(|at| at.plus_millis(ANSWER_WAIT_MS));
        let of_lost = [judged, Some(self.ask_at.unwrap_or(Timestamp::EPOCH))];
        let answer = (owns && self.owes).then(|| self.answers_at().unwrap_or(Timestamp::EPOCH));
        of_lost.into_iter().flatten().filter(|_| lost).chain(answer).min()
    }
}
