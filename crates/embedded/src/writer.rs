//! The writer: one thread that owns the write connection and takes pieces of writing from a bounded
//! queue. Callers are answered when what they asked for is on the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use postroom_bus::{BusError, Entry, Submission};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Checkpointer;
use crate::failure::Failure;
use crate::hints::{Hint, Hints};
use crate::{group, inlet};

/// Pieces of writing that may wait. Publishes beyond it are told `Busy`, others wait for room.
const WAITING_MAX: usize = 4_096;
/// Pieces in one transaction.
const GROUP_MAX: usize = 512;
/// Bytes in one transaction, as far as they are known; a single piece may have more.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of submissions in one entry of the inlet, so that whoever reads it has not too much at once; a
/// single submission may have more.
const GATHERED_BYTES_MAX: usize = 512 * 1024;

/// One piece of writing, as the writer sees it.
pub(crate) trait Work: Send {
    /// Writes inside a transaction. May be called again after the transaction was lost.
    fn run(&mut self, db: &Connection) -> Result<(), Failure>;
    /// Answers the caller and hints, when what it wrote is on the disk or is known not to be.
    fn finish(self: Box<Self>, stored: Result<(), Failure>, hints: &Hints);
    fn about(&self) -> About;
}

/// What the writer knows of a piece before it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    pub(crate) bytes: usize,
    /// Goes before others of its group: somebody outside waits for a 2xx.
    pub(crate) urgent: bool,
}

/// What a piece of writing gives back to its caller.
#[derive(Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) hint: Option<Hint>,
}

struct Task<T, F> {
    write: F,
    about: About,
    written: Option<Written<T>>,
    done: oneshot::Sender<Result<T, Failure>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<Written<T>, Failure> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Failure> {
        self.written = Some((self.write)(db)?);
        Ok(())
    }

    fn finish(self: Box<Self>, stored: Result<(), Failure>, hints: &Hints) {
        let lost = || Failure::Unavailable("the writer lost the answer".to_owned());
        let Self { written, done, .. } = *self;
        let written = stored.and_then(|()| written.ok_or_else(lost));
        let value = written.map(|Written { value, hint }| {
            if let Some(hint) = hint {
                hints.send(hint);
            }
            value
        });
        // Nobody waits any more: it is stored all the same, as if the answer had been lost.
        drop(done.send(value));
    }

    fn about(&self) -> About {
        self.about
    }
}

/// What waits for the writer.
enum Piece {
    Work(Box<dyn Work>),
    Submission(Submission),
}

/// Submissions that become one entry of the inlet.
struct Gathered {
    submissions: Vec<Submission>,
    entry: Option<Entry>,
}

impl Work for Gathered {
    fn run(&mut self, db: &Connection) -> Result<(), Failure> {
        let batch = match self.entry.take() {
            Some(entry) => entry.bytes,
            None => Submission::batch_of(&self.submissions),
        };
        let seq = inlet::insert(db, &batch)?;
        self.entry = Some(Entry { seq, bytes: batch });
        Ok(())
    }

    fn finish(self: Box<Self>, stored: Result<(), Failure>, hints: &Hints) {
        let Self { submissions, entry } = *self;
        let lost = || Failure::Unavailable("the writer lost the answer".to_owned());
        let entry = stored.and_then(|()| entry.ok_or_else(lost));
        let seq = entry.map_err(BusError::from).map(|entry| {
            let seq = entry.seq;
            hints.send(Hint::Inlet(entry));
            seq
        });
        Submission::answer_all(submissions, &seq);
    }

    fn about(&self) -> About {
        About { bytes: self.submissions.iter().map(Submission::bytes).sum(), urgent: true }
    }
}

/// The queue of the writer. The thread ends when this is dropped and the queue is empty.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Piece>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn start(
        db: Connection,
        checkpointer: Checkpointer,
        begin: fn(),
        hints: Arc<Hints>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let write = move || {
            begin();
            write_all(&db, checkpointer, waiting, &hints);
        };
        let thread = std::thread::Builder::new().name("postroom-writer".to_owned()).spawn(write)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Waits for room in the queue, then until it is stored.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        about: About,
        write: impl FnMut(&Connection) -> Result<Written<T>, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (task, answer) = task(about, write);
        self.queue()?.send(Piece::Work(task)).await.map_err(|_| Failure::Closed)?;
        answered(answer).await
    }

    /// Waits until it is stored; [`Failure::Busy`] at once if there is no room in the queue.
    pub(crate) async fn write_now<T: Send + 'static>(
        &self,
        about: About,
        write: impl FnMut(&Connection) -> Result<Written<T>, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (task, answer) = task(about, write);
        self.queue()?.try_send(Piece::Work(task)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Busy,
            mpsc::error::TrySendError::Closed(_) => Failure::Closed,
        })?;
        answered(answer).await
    }

    /// Stores it in one entry with the others that wait; it is answered then, or at once if there is no
    /// room in the queue.
    pub(crate) fn submit(&self, submission: Submission) {
        let Some(queue) = &self.queue else { return submission.answer(Err(BusError::Closed)) };
        match queue.try_send(Piece::Submission(submission)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(piece)) => refuse(piece, BusError::Busy),
            Err(mpsc::error::TrySendError::Closed(piece)) => refuse(piece, BusError::Closed),
        }
    }

    fn queue(&self) -> Result<&mpsc::Sender<Piece>, Failure> {
        self.queue.as_ref().ok_or(Failure::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // What a panic of the writer left undone was never answered as stored.
            drop(thread.join());
        }
    }
}

type Answer<T> = oneshot::Receiver<Result<T, Failure>>;

fn task<T: Send + 'static>(
    about: About,
    write: impl FnMut(&Connection) -> Result<Written<T>, Failure> + Send + 'static,
) -> (Box<dyn Work>, Answer<T>) {
    let (done, answer) = oneshot::channel();
    (Box::new(Task { write, about, written: None, done }), answer)
}

async fn answered<T>(answer: Answer<T>) -> Result<T, Failure> {
    let gone = |_| Err(Failure::Unavailable("the writer ended without an answer".to_owned()));
    answer.await.unwrap_or_else(gone)
}

fn refuse(piece: Piece, error: BusError) {
    if let Piece::Submission(submission) = piece {
        submission.answer(Err(error));
    }
}

fn write_all(
    db: &Connection,
    mut checkpointer: Checkpointer,
    mut queue: mpsc::Receiver<Piece>,
    hints: &Hints,
) {
    let mut waiting: VecDeque<Box<dyn Work>> = VecDeque::new();
    let mut crowded = false;
    loop {
        if crowded {
            // Others will have something to write as soon as they are let: one sync serves them too.
            std::thread::yield_now();
        }
        // What the last group had no time for goes first, with what has come since.
        let first = if waiting.is_empty() { queue.blocking_recv() } else { queue.try_recv().ok() };
        if first.is_none() && waiting.is_empty() {
            return;
        }
        crowded = gather(first, &mut queue, &mut waiting) > 1;
        waiting.make_contiguous().sort_by_key(|work| !work.about().urgent);
        group::write(db, &mut waiting, hints);
        checkpointer.look(db);
    }
}

/// Takes from the queue what goes into the next group, and says how many that were. Submissions are put
/// together, in entries of a bounded size.
fn gather(
    first: Option<Piece>,
    queue: &mut mpsc::Receiver<Piece>,
    waiting: &mut VecDeque<Box<dyn Work>>,
) -> usize {
    let mut bytes: usize = waiting.iter().map(|work| work.about().bytes).sum();
    let mut submissions: Vec<Submission> = Vec::new();
    let (mut gathered_bytes, mut count) = (0, waiting.len());
    let mut next = first;
    while let Some(piece) = next {
        match piece {
            Piece::Work(work) => {
                bytes = bytes.saturating_add(work.about().bytes);
                waiting.push_back(work);
            }
            Piece::Submission(submission) => {
                bytes = bytes.saturating_add(submission.bytes());
                gathered_bytes += submission.bytes();
                if gathered_bytes > GATHERED_BYTES_MAX && !submissions.is_empty() {
                    gathered_bytes = submission.bytes();
                    let submissions = std::mem::take(&mut submissions);
                    waiting.push_back(Box::new(Gathered { submissions, entry: None }));
                }
                submissions.push(submission);
            }
        }
        count += 1;
        let room = count < GROUP_MAX && bytes < GROUP_BYTES_MAX;
        next = if room { queue.try_recv().ok() } else { None };
    }
    if !submissions.is_empty() {
        waiting.push_back(Box::new(Gathered { submissions, entry: None }));
    }
    count
}
