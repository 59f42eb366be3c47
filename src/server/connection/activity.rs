//! The activity of a connection: what it is doing, as seen from its bytes and responses.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for the first request, or for the rest of one.
    Reading,
    /// Making an answer, or waiting for the client to take it.
    Answering,
    /// Waiting for the next request.
    Idle,
}

/// What a connection is doing, and since which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    pub(super) doing: Phase,
    answered: usize,
}

/// What a connection was seen doing.
#[derive(Debug)]
pub(super) struct ActivityTracker {
    responses: AtomicUsize,
    /// How often the last of the running responses ended.
    answered: AtomicUsize,
    /// Whether bytes belong to a request. Those of HTTP/2 may be about anything.
    listens: bool,
    /// Whether bytes came since the last answer ended.
    heard: AtomicBool,
    /// Whether the client does not take what is to be sent.
    stuck: AtomicBool,
}

impl ActivityTracker {
    pub(super) fn new(listens: bool) -> Self {
        Self {
            responses: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            listens,
            heard: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        }
    }

    pub(super) fn current(&self) -> Activity {
        let answered = self.answered.load(Ordering::Relaxed);
        let doing =
            if self.responses.load(Ordering::Relaxed) > 0 || self.stuck.load(Ordering::Relaxed) {
                Phase::Answering
            } else if self.heard.load(Ordering::Relaxed) || answered == 0 {
                Phase::Reading
            } else {
                Phase::Idle
            };
        Activity { doing, answered }
    }
}

/// An answer that is being made or sent.
pub(super) struct Answer(Arc<ActivityTracker>);

impl Answer {
    pub(super) fn begin(activity: &Arc<ActivityTracker>) -> Self {
        activity.responses.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.heard.store(false, Ordering::Relaxed);
        if self.0.responses.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A body whose answer lasts until the last of its bytes was written, not only handed over.
pub(super) struct TrackedBody {
    pub(super) body: Body,
    pub(super) answer: Arc<Answer>,
}

impl HttpBody for TrackedBody {
    type Data = TrackedBytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<TrackedBytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let timed = |bytes| TrackedBytes {
            bytes,
            _answer: Arc::clone(&self.answer),
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(timed))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Shared bytes of an answer. HTTP/2 holds them back while the client takes none.
pub(super) struct TrackedBytes {
    bytes: Bytes,
    _answer: Arc<Answer>,
}

impl Buf for TrackedBytes {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// A stream whose reads and writes are recorded in the activity.
pub(super) struct TrackedStream<S> {
    pub(super) stream: S,
    pub(super) activity: Arc<ActivityTracker>,
}

impl<S> TrackedStream<S> {
    /// Notes whether the client takes what is to be sent.
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity
            .stuck
            .store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if self.activity.listens && buffer.filled().len() > before {
            self.activity.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        self.note(ended)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(written)
    }

    // Without it hyper would copy an answer into one piece.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
