//! The door to the inlet: coalesces what arrives within a moment into one publish.
//!
//! With every publish synced to disk, this is what makes thousands a second possible. Whoever calls
//! [`Intake::accept_all`] gets an answer only when the inlet has it (P1). A backend whose writer gathers
//! by itself what waits takes submissions as they are ([`Inlet::submit`]); for the others a task does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use postroom_model::{Input, Position};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::{BusError, Inlet, encode_batch, encode_input};

/// How much waits, and how much goes into one publish.
#[derive(Debug, Clone, Copy)]
pub struct IntakeLimits {
    /// Submissions that may wait; more get [`BusError::Busy`].
    pub waiting_max: usize,
    /// Bytes that may wait or be under way; more get [`BusError::Busy`], and a single submission
    /// that is larger gets [`BusError::TooLarge`].
    pub waiting_bytes_max: u32,
    /// Inputs in one publish.
    pub batch_inputs_max: usize,
    /// Bytes in one publish. A single submission may be larger, up to what the backend takes.
    pub batch_bytes_max: usize,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self {
            waiting_max: 4_096,
            waiting_bytes_max: 64 * 1024 * 1024,
            batch_inputs_max: 512,
            batch_bytes_max: 512 * 1024,
        }
    }
}

/// Gives inputs to the inlet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    inlet: Arc<dyn Inlet>,
    queue: mpsc::Sender<Submission>,
    room: Arc<Semaphore>,
    waiting_bytes_max: u32,
    /// Submissions that were not answered yet.
    unanswered: Arc<AtomicUsize>,
}

/// As many unanswered submissions are a crowd. At a thousand a second it is one now and then; when
/// more come in than this machine can take, it is dozens all the time.
const CROWD: usize = 8;

/// Inputs of one caller, who waits until they are stored.
#[derive(Debug)]
pub struct Submission {
    inputs: Vec<Bytes>,
    bytes: usize,
    done: oneshot::Sender<Result<Position, BusError>>,
    /// Gives the bytes free again when the submission is answered.
    _room: OwnedSemaphorePermit,
}

impl Submission {
    /// Bytes of its inputs together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tells the caller. One that no longer waits was not told that its inputs were taken; it may
    /// repeat them.
    pub fn answer(self, answer: Result<Position, BusError>) {
        drop(self.done.send(answer));
    }

    /// The inputs of several, in their order, as one batch.
    pub fn batch_of(submissions: &[Self]) -> Bytes {
        let inputs: Vec<&[u8]> =
            submissions.iter().flat_map(|one| &one.inputs).map(|input| &input[..]).collect();
        encode_batch(&inputs)
    }

    /// Tells each caller the position of its first input in the entry that holds all of them.
    pub fn answer_all(submissions: Vec<Self>, stored: &Result<u64, BusError>) {
        let mut index: u32 = 0;
        for submission in submissions {
            let count = u32::try_from(submission.inputs.len()).unwrap_or(u32::MAX);
            let position = |seq: &u64| Position { seq: *seq, index };
            submission.answer(stored.as_ref().map(position).map_err(BusError::clone));
            index = index.saturating_add(count);
        }
    }
}

impl Intake {
    /// Starts the task that publishes; it ends when the last handle is dropped and all that waits
    /// is published.
    pub fn start(inlet: Arc<dyn Inlet>, limits: IntakeLimits, tasks: &TaskTracker) -> Self {
        let (queue, waiting) = mpsc::channel(limits.waiting_max);
        let room = Arc::new(Semaphore::new(limits.waiting_bytes_max as usize));
        tasks.spawn(publish_all(Arc::clone(&inlet), limits, waiting));
        let unanswered = Arc::new(AtomicUsize::new(0));
        Self { inlet, queue, room, waiting_bytes_max: limits.waiting_bytes_max, unanswered }
    }

    /// Whether many wait for an answer at this moment.
    pub fn is_crowded(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) >= CROWD
    }

    /// Stores one input durably and gives its position.
    pub async fn accept(&self, input: &Input) -> Result<Position, BusError> {
        self.accept_all(std::slice::from_ref(input)).await
    }

    /// Stores inputs durably, next to each other and in order, and gives the position of the first.
    /// They are stored even if the caller stops waiting.
    pub async fn accept_all(&self, inputs: &[Input]) -> Result<Position, BusError> {
        let encoded: Result<Vec<Bytes>, _> = inputs.iter().map(encode_input).collect();
        let inputs = encoded.map_err(|error| BusError::Damaged(error.to_string()))?;
        let bytes = inputs.iter().map(Bytes::len).sum();
        let room = self.reserve(bytes)?;
        let (done, answer) = oneshot::channel();
        let _counted = Counted::new(&self.unanswered);
        let submission = Submission { inputs, bytes, done, _room: room };
        if let Err(submission) = self.inlet.submit(submission) {
            self.queue.try_send(submission).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => BusError::Busy,
                mpsc::error::TrySendError::Closed(_) => BusError::Closed,
            })?;
        }
        // The task answers each submission. If it is gone, nobody knows whether it was published.
        let gone = |_| Err(BusError::Unavailable("the task that publishes ended".to_owned()));
        answer.await.unwrap_or_else(gone)
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BusError> {
        let bytes_max = self.waiting_bytes_max;
        let permits = u32::try_from(bytes).ok().filter(|permits| *permits <= bytes_max);
        let too_large = BusError::TooLarge { bytes, bytes_max: bytes_max as usize };
        let permits = permits.ok_or(too_large)?;
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| BusError::Busy)
    }
}

/// Counts for as long as it lives.
struct Counted<'c>(&'c AtomicUsize);

impl<'c> Counted<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn publish_all(
    inlet: Arc<dyn Inlet>,
    limits: IntakeLimits,
    mut waiting: mpsc::Receiver<Submission>,
) {
    let mut held: Option<Submission> = None;
    loop {
        let first = match held.take() {
            Some(submission) => submission,
            None => match waiting.recv().await {
                Some(submission) => submission,
                None => return,
            },
        };
        let (mut count, mut bytes) = (first.inputs.len(), first.bytes);
        let mut batch = vec![first];
        while let Ok(next) = waiting.try_recv() {
            count += next.inputs.len();
            bytes += next.bytes;
            if count > limits.batch_inputs_max || bytes > limits.batch_bytes_max {
                held = Some(next);
                break;
            }
            batch.push(next);
        }
        publish(inlet.as_ref(), batch).await;
    }
}

async fn publish(inlet: &dyn Inlet, batch: Vec<Submission>) {
    let published = inlet.publish(Submission::batch_of(&batch)).await;
    Submission::answer_all(batch, &published);
}

#[cfg(test)]
mod tests;
