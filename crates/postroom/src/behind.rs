//! The threads for what may lag behind: routing, delivery and the writing of the records.
//!
//! Where more comes in than this machine can do at once, somebody outside waits for the doors to say
//! "taken" and gives up after seconds, while what was taken is durable and keeps. So these threads
//! have the lower claim to the processors: the doors go first, and what waits is caught up with as
//! soon as there is room. With a processor to spare nothing is slower for it.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::failure::Failure;

/// One that decides, and one for snapshots and delivery.
const THREADS: usize = 2;
/// Steps on the scale of `nice(1)`: under contention about a ninth of what a door's thread gets.
const NICE: i32 = 10;

/// A runtime of its own; what still runs on it is given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Behind {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Behind {
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .worker_threads(THREADS)
            .thread_name("postroom-behind")
            .on_thread_start(step_back)
            .build()
            .map_err(|error| Failure::failed(format!("the runtime cannot start: {error}")))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Behind {
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
