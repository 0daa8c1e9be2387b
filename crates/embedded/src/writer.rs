//! The writer: one thread that owns the write connection and takes pieces of writing from a bounded
//! queue. Callers are answered when what they asked for is on the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Checkpointer;
use crate::failure::Failure;
use crate::group;
use crate::hints::{Hint, Hints};

/// Pieces of writing that may wait. Publishes beyond it are told `Busy`, others wait for room.
const WAITING_MAX: usize = 1_024;
/// Pieces in one transaction.
const GROUP_MAX: usize = 512;
/// Bytes in one transaction, as far as they are known; a single piece may have more.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

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

/// The queue of the writer. The thread ends when this is dropped and the queue is empty.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
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
        self.queue()?.send(task).await.map_err(|_| Failure::Closed)?;
        answered(answer).await
    }

    /// Waits until it is stored; [`Failure::Busy`] at once if there is no room in the queue.
    pub(crate) async fn write_now<T: Send + 'static>(
        &self,
        about: About,
        write: impl FnMut(&Connection) -> Result<Written<T>, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (task, answer) = task(about, write);
        self.queue()?.try_send(task).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Busy,
            mpsc::error::TrySendError::Closed(_) => Failure::Closed,
        })?;
        answered(answer).await
    }

    fn queue(&self) -> Result<&mpsc::Sender<Box<dyn Work>>, Failure> {
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

fn write_all(
    db: &Connection,
    mut checkpointer: Checkpointer,
    mut queue: mpsc::Receiver<Box<dyn Work>>,
    hints: &Hints,
) {
    let mut waiting: VecDeque<Box<dyn Work>> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match queue.blocking_recv() {
                Some(work) => waiting.push_back(work),
                None => return,
            }
        }
        let mut bytes: usize = waiting.iter().map(|work| work.about().bytes).sum();
        while waiting.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(work) = queue.try_recv() else { break };
            bytes = bytes.saturating_add(work.about().bytes);
            waiting.push_back(work);
        }
        waiting.make_contiguous().sort_by_key(|work| !work.about().urgent);
        group::write(db, &mut waiting, hints);
        checkpointer.look(db);
    }
}
