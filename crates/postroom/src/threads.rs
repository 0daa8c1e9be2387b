//! Threads with a claim to the processors of their own, before and behind those that serve the doors.
//!
//! *Before*: what gathers the questions and the inputs of many requests into one. Each request waits
//! for it, so it must not stand in the line of those very requests.
//!
//! *Behind*: routing, delivery and the writing of the records. Where more comes in than this machine
//! can do at once, somebody outside waits for the doors to say "taken" and gives up after seconds,
//! while what was taken is durable and keeps. So these threads have the lower claim: the doors go
//! first, and what waits is caught up with as soon as there is room. With a processor to spare nothing
//! is slower for it.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::END_WAIT;
use crate::failure::Failure;

/// One that decides, and one for snapshots and delivery.
const THREADS_BEHIND: usize = 2;
/// Steps on the scale of `nice(1)`: the lowest claim that still is one. Measured: even so they get a
/// fifth of two processors that the doors could fill, from the moments in which the doors wait.
const NICE: i32 = 19;

/// A runtime of its own; what still runs on it is given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Threads {
    pub(crate) fn before() -> Result<Self, Failure> {
        Self::start(Builder::new_multi_thread().worker_threads(1).thread_name("postroom-before"))
    }

    pub(crate) fn behind() -> Result<Self, Failure> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS_BEHIND).thread_name("postroom-behind");
        Self::start(builder.on_thread_start(step_back))
    }

    fn start(builder: &mut Builder) -> Result<Self, Failure> {
        let runtime = builder
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("the runtime cannot start: {error}")))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Gives up what still runs on it, and waits until it is gone with everything that it held.
    pub(crate) async fn end(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let ending = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(END_WAIT));
            drop(ending.await);
        }
    }

    /// What `start` spawns runs on these threads.
    pub(crate) fn run<T>(&self, start: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        start()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Inside another runtime nothing may be waited for.
            runtime.shutdown_background();
        }
    }
}

/// Gives the thread that calls it the lower claim.
#[cfg(target_os = "linux")]
pub(crate) fn step_back() {
    // On Linux a thread has a niceness of its own, named by its id.
    let stepped = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    if let Err(error) = stepped {
        tracing::debug!(%error, "routing has the same claim to the processors as the doors");
    }
}

/// Gives the thread that calls it the lower claim, where threads have one of their own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn step_back() {
    // Elsewhere niceness belongs to the whole process.
    let _same_for_all = NICE;
}
