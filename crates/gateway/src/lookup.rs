//! Which inputs were decided before: the questions of many posts in one round trip to the records.
//!
//! Most posts are new, and many a backend knows that without being asked. For the others: while one
//! look-up is under way the next questions gather, so the records are asked at most one
//! thing at a time, however many posts come in. Whoever gets no answer goes on without one.

use std::sync::Arc;
use std::time::Duration;

use postroom_model::{InputId, OutcomeKind};
use postroom_records::{Key, Records, Row};
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait; more are not asked.
const WAITING_MAX: usize = 4_096;

/// Keys in one look-up.
const KEYS_MAX: usize = 256;

#[derive(Debug)]
struct Question {
    inputs: Vec<InputId>,
    answer: oneshot::Sender<Vec<bool>>,
}

#[derive(Debug)]
pub(crate) struct Lookup {
    records: Arc<dyn Records>,
    questions: mpsc::Sender<Question>,
    wait: Duration,
}

impl Lookup {
    /// The handle, and the work behind it, which ends when the handle is dropped.
    pub(crate) fn new(
        records: Arc<dyn Records>,
        wait: Duration,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (questions, waiting) = mpsc::channel(WAITING_MAX);
        let work = work(Arc::clone(&records), waiting);
        (Self { records, questions, wait }, work)
    }

    /// For each input whether it was decided before. None of them where the records do not say in
    /// time: accepting goes on without them, and the router has the last word.
    pub(crate) async fn decided(&self, inputs: Vec<InputId>) -> Vec<bool> {
        let unknown = vec![false; inputs.len()];
        if inputs.iter().all(|input| self.records.surely_unseen(*input)) {
            return unknown;
        }
        let (answer, answered) = oneshot::channel();
        if self.questions.try_send(Question { inputs, answer }).is_err() {
            return unknown;
        }
        match tokio::time::timeout(self.wait, answered).await {
            Ok(Ok(known)) if known.len() == unknown.len() => known,
            _ => unknown,
        }
    }
}

/// Answers questions, from the first moment on, and gathers what makes most of them unnecessary.
async fn work(records: Arc<dyn Records>, waiting: mpsc::Receiver<Question>) {
    let gathering = async {
        if let Err(error) = records.gather_seen().await {
            tracing::warn!(%error, "each post asks the records whether it was seen");
        }
    };
    tokio::join!(gathering, ask_all(Arc::clone(&records), waiting));
}

async fn ask_all(records: Arc<dyn Records>, mut waiting: mpsc::Receiver<Question>) {
    let mut asked = Vec::new();
    while waiting.recv_many(&mut asked, KEYS_MAX).await > 0 {
        asked.retain(|question| !question.answer.is_closed());
        let inputs = asked.iter().flat_map(|question| &question.inputs);
        let keys: Vec<Key> = inputs.map(|input| Key::Seen(*input)).collect();
        let rows = match records.load(&keys).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::debug!(%error, "posts are accepted without asking the records");
                asked.clear();
                continue;
            }
        };
        let mut rows = rows.into_iter();
        for question in asked.drain(..) {
            let known =
                rows.by_ref().take(question.inputs.len()).map(|row| is_decided(row.as_ref()));
            // Who no longer waits went on without the answer.
            drop(question.answer.send(known.collect()));
        }
    }
}

fn is_decided(row: Option<&Row>) -> bool {
    let Some(Row::Seen(seen)) = row else { return false };
    match seen.outcome.kind {
        OutcomeKind::Routed | OutcomeKind::Parked | OutcomeKind::Rejected => true,
        OutcomeKind::Duplicate => false,
    }
}
