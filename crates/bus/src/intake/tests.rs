//! Coalescing, its limits, and that every caller is told the truth about its own inputs.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_model::{
    ChannelId, DeliveryInput, HostId, Input, InputBody, InputId, Position, Timestamp,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{Intake, IntakeLimits};
use crate::{BusError, Entry, Inlet, MemoryInlet, ReadLimits, decode_batch, encode_input};

/// An inlet whose publishes wait for a permit and can be made to fail.
#[derive(Debug)]
struct GatedInlet {
    stored: MemoryInlet,
    gate: Semaphore,
    failure: Option<BusError>,
    /// Says that a publish has begun.
    begun: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl Inlet for GatedInlet {
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError> {
        self.begun.send(()).unwrap();
        self.gate.acquire().await.unwrap().forget();
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => self.stored.publish(batch).await,
        }
    }

    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError> {
        self.stored.read(after, limits).await
    }

    async fn last(&self) -> Result<u64, BusError> {
        self.stored.last().await
    }

    async fn trim(&self, through: u64) -> Result<(), BusError> {
        self.stored.trim(through).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.stored.changes()
    }
}

struct Bench {
    inlet: Arc<GatedInlet>,
    intake: Intake,
    tasks: TaskTracker,
    begun: mpsc::UnboundedReceiver<()>,
}

type Accepting = JoinHandle<Result<Position, BusError>>;

impl Bench {
    fn new(limits: IntakeLimits, failure: Option<BusError>) -> Self {
        let (begun_sender, begun) = mpsc::unbounded_channel();
        let stored = MemoryInlet::default();
        let gate = Semaphore::new(0);
        let inlet = Arc::new(GatedInlet { stored, gate, failure, begun: begun_sender });
        let tasks = TaskTracker::new();
        let intake = Intake::start(Arc::<GatedInlet>::clone(&inlet), limits, &tasks);
        Self { inlet, intake, tasks, begun }
    }

    /// Submits and gives when the submission waits or is refused.
    async fn submit(&self, inputs: Vec<Input>) -> Accepting {
        let intake = self.intake.clone();
        let (entered_sender, entered) = tokio::sync::oneshot::channel();
        let accepting = self.tasks.spawn(async move {
            let mut accepting = Box::pin(intake.accept_all(&inputs));
            let first = futures_poll(&mut accepting).await;
            entered_sender.send(()).unwrap();
            match first {
                Some(answer) => answer,
                None => accepting.await,
            }
        });
        entered.await.unwrap();
        accepting
    }

    async fn stored(&self) -> Vec<Vec<i64>> {
        let entries = self.inlet.read(0, ReadLimits::default()).await.unwrap();
        let numbers = |entry: &Entry| {
            decode_batch(&entry.bytes).into_iter().map(|input| input.unwrap().at.millis()).collect()
        };
        entries.iter().map(numbers).collect()
    }
}

/// Polls once; the answer if there is one already.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

fn input(millis: i64) -> Input {
    let channel = ChannelId::new("site").unwrap();
    let host = HostId(uuid::Uuid::nil());
    Input {
        id: InputId(uuid::Uuid::nil()),
        at: Timestamp::from_millis(millis),
        body: InputBody::Delivery(DeliveryInput::Own { channel, host }),
    }
}

fn inputs(millis: impl IntoIterator<Item = i64>) -> Vec<Input> {
    millis.into_iter().map(input).collect()
}

fn input_bytes() -> usize {
    encode_input(&input(0)).unwrap().len()
}

const fn at(seq: u64, index: u32) -> Position {
    Position { seq, index }
}

#[tokio::test]
async fn what_arrives_during_a_publish_goes_into_the_next_one_together() {
    let mut bench = Bench::new(IntakeLimits::default(), None);
    let first = bench.submit(inputs([1])).await;
    bench.begun.recv().await.unwrap();
    let second = bench.submit(inputs([2, 3])).await;
    let third = bench.submit(inputs([4])).await;
    bench.inlet.gate.add_permits(2);
    assert_eq!(first.await.unwrap(), Ok(at(1, 0)));
    assert_eq!(second.await.unwrap(), Ok(at(2, 0)));
    assert_eq!(third.await.unwrap(), Ok(at(2, 2)));
    assert_eq!(bench.stored().await, [vec![1], vec![2, 3, 4]]);
}

#[tokio::test]
async fn nobody_is_answered_before_the_inlet_has_it() {
    let mut bench = Bench::new(IntakeLimits::default(), None);
    let accepting = bench.submit(inputs([1])).await;
    bench.begun.recv().await.unwrap();
    tokio::task::yield_now().await;
    assert!(!accepting.is_finished());
    bench.inlet.gate.add_permits(1);
    assert_eq!(accepting.await.unwrap(), Ok(at(1, 0)));
}

#[tokio::test]
async fn batch_ends_at_its_limits_and_a_larger_submission_goes_alone() {
    let by_count = IntakeLimits { batch_inputs_max: 3, ..IntakeLimits::default() };
    let bytes = 3 * input_bytes();
    let by_bytes = IntakeLimits { batch_bytes_max: bytes, ..IntakeLimits::default() };
    for limits in [by_count, by_bytes] {
        let mut bench = Bench::new(limits, None);
        let mut waiting = vec![bench.submit(inputs([0])).await];
        bench.begun.recv().await.unwrap();
        for more in [inputs([1, 2]), inputs([3]), inputs([4]), inputs(10..15), inputs([20])] {
            waiting.push(bench.submit(more).await);
        }
        bench.inlet.gate.add_permits(10);
        let mut positions = Vec::new();
        for accepting in waiting {
            positions.push(accepting.await.unwrap().unwrap());
        }
        let expected = [vec![0], vec![1, 2, 3], vec![4], (10..15).collect(), vec![20]];
        assert_eq!(bench.stored().await, expected);
        let flat: Vec<(u64, u32)> = positions.iter().map(|p| (p.seq, p.index)).collect();
        assert_eq!(flat, [(1, 0), (2, 0), (2, 2), (3, 0), (4, 0), (5, 0)]);
    }
}

#[tokio::test]
async fn failure_is_told_to_every_caller_of_the_batch_and_the_next_goes_on() {
    let mut bench = Bench::new(IntakeLimits::default(), Some(BusError::Full));
    let mut waiting = vec![bench.submit(inputs([0])).await];
    bench.begun.recv().await.unwrap();
    for number in 1..4 {
        waiting.push(bench.submit(inputs([number])).await);
    }
    bench.inlet.gate.add_permits(10);
    for accepting in waiting {
        assert_eq!(accepting.await.unwrap(), Err(BusError::Full));
    }
    let later = bench.submit(inputs([9])).await;
    assert_eq!(later.await.unwrap(), Err(BusError::Full), "the task still answers");
}

#[tokio::test]
async fn more_than_may_wait_is_refused_at_once() {
    let by_count = IntakeLimits { waiting_max: 2, ..IntakeLimits::default() };
    let three = u32::try_from(3 * input_bytes()).unwrap();
    let by_bytes = IntakeLimits { waiting_bytes_max: three, ..IntakeLimits::default() };
    for limits in [by_count, by_bytes] {
        let mut bench = Bench::new(limits, None);
        let mut waiting = vec![bench.submit(inputs([0])).await];
        bench.begun.recv().await.unwrap();
        waiting.push(bench.submit(inputs([1])).await);
        waiting.push(bench.submit(inputs([2])).await);
        assert_eq!(bench.intake.accept(&input(3)).await, Err(BusError::Busy));
        bench.inlet.gate.add_permits(10);
        for accepting in waiting {
            assert!(accepting.await.unwrap().is_ok());
        }
        assert_eq!(bench.stored().await, [vec![0], vec![1, 2]]);
        assert!(bench.intake.accept(&input(4)).await.is_ok(), "there is room again");
    }
}

#[tokio::test]
async fn doors_are_crowded_while_many_wait_for_their_answer() {
    let bench = Bench::new(IntakeLimits::default(), None);
    let mut waiting = Vec::new();
    for number in 0..8 {
        assert!(!bench.intake.is_crowded(), "{number} wait");
        waiting.push(bench.submit(inputs([number])).await);
    }
    assert!(bench.intake.is_crowded());
    bench.inlet.gate.add_permits(10);
    for accepting in waiting {
        accepting.await.unwrap().unwrap();
    }
    assert!(!bench.intake.is_crowded(), "all of them are answered");
}

#[tokio::test]
async fn submission_over_all_that_may_wait_is_too_large() {
    let bytes_max = 2 * input_bytes();
    let waiting_bytes_max = u32::try_from(bytes_max).unwrap();
    let bench = Bench::new(IntakeLimits { waiting_bytes_max, ..IntakeLimits::default() }, None);
    let bytes = 3 * input_bytes();
    let refused = bench.intake.accept_all(&inputs([1, 2, 3])).await;
    assert_eq!(refused, Err(BusError::TooLarge { bytes, bytes_max }));
}

#[tokio::test]
async fn what_waits_is_published_after_the_last_handle_is_dropped() {
    let Bench { inlet, intake, tasks, mut begun } = Bench::new(IntakeLimits::default(), None);
    let batch = inputs([7]);
    // The caller gives up after its input went in.
    let mut accepting = Box::pin(intake.accept_all(&batch));
    assert_eq!(futures_poll(&mut accepting).await, None);
    drop(accepting);
    drop(intake);
    begun.recv().await.unwrap();
    inlet.gate.add_permits(1);
    tasks.close();
    tasks.wait().await;
    assert_eq!(inlet.last().await, Ok(1));
}
