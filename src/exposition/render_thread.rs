//! The thread on which everything is rendered. The C library's allocator keeps what a thread has freed for the few threads
//! that share its arena; a rendering frees the most by far, and done on whichever thread is free it would, in the course of
//! time, leave as much in each of them.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
};

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one thing after the other, until this is dropped.
#[derive(Debug)]
pub(super) struct RenderThread(mpsc::Sender<Job>);

impl RenderThread {
    /// Starts the thread.
    pub(super) fn start() -> Self {
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || jobs.into_iter().for_each(|job| job());
        let thread = thread::Builder::new().name("rendering".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::warn!(%error, "there is no thread for rendering; it is done where it is asked for");
        }
        Self(sender)
    }

    /// Has something done and waits for it; panics if that did.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            let made = panic::catch_unwind(AssertUnwindSafe(work));
            let _ = done.send(made);
        });
        if let Err(mpsc::SendError(job)) = self.0.send(job) {
            job();
        }
        match result.recv().expect("what the thread takes it does") {
            Ok(made) => made,
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_on_one_thread_which_outlives_a_panic() {
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
    fn without_its_thread_things_are_done_where_they_are_asked_for() {
        let sender = RenderThread(mpsc::channel().0);
        let here = thread::current().id();
        assert_eq!(sender.run(|| thread::current().id()), here);
    }
}
