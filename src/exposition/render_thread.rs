//! The thread on which everything is rendered. The C library's allocator keeps freed memory for the few threads that share
//! an arena. A rendering frees the most by far; on changing threads it would in time leave that much in every arena.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
};

type Job = Box<dyn FnOnce() + Send>;

/// A thread that runs jobs one after the other, until this is dropped.
#[derive(Debug)]
pub(super) struct RenderThread(mpsc::Sender<Job>);

impl RenderThread {
    /// Starts the thread.
    pub(super) fn start() -> Self {
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || jobs.into_iter().for_each(|job| job());
        let thread = thread::Builder::new().name("rendering".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::warn!(%error, "Cannot start the rendering thread, rendering on other threads");
        }
        Self(sender)
    }

    /// Runs work on the thread and waits for it; panics if the work did.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            let made = panic::catch_unwind(AssertUnwindSafe(work));
            let _ = done.send(made);
        });
        if let Err(mpsc::SendError(job)) = self.0.send(job) {
            job();
        }
        match result.recv().expect("the thread completes every job") {
            Ok(made) => made,
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_work_runs_on_one_thread_that_outlives_a_panic() {
        let sender = RenderThread::start();
        let name = || thread::current().name().map(str::to_owned);
        let id = || thread::current().id();
        let first = sender.run(id);
        assert_ne!(first, id());
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| sender.run(|| panic!("for once"))));
        assert_eq!(
            panicked.unwrap_err().downcast_ref::<&str>(),
            Some(&"for once")
        );
        assert_eq!(sender.run(id), first);
        assert_eq!(sender.run(name).as_deref(), Some("rendering"));
    }

    #[test]
    fn without_its_thread_work_runs_on_the_caller() {
        let sender = RenderThread(mpsc::channel().0);
        let here = thread::current().id();
        assert_eq!(sender.run(|| thread::current().id()), here);
    }
}
