//! The rows of a body, decoded and folded on a blocking thread while more of it arrives. Bodies of responses and files
//! of exports share its batches, permits and bounds.

use std::{
    future::Future,
    num::NonZero,
    panic,
    sync::{LazyLock, PoisonError},
    thread,
};

use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task,
};

use crate::{
    charge::{SharedSink, Sink},
    error::{ProviderError, Reason},
    json::{
        RowError,
        fast_reader::{self, Order},
        row_splitter::{RowHandler, Splitter},
        scalars,
    },
};

/// Handles the rows of one response, on whatever thread decodes them.
pub trait Fold: Send + 'static {
    /// A row as it is sent, borrowed from the body. All its fields are optional, so that an error can name a missing one.
    type Row<'a>: Deserialize<'a>;

    /// Handles one row: emits its charges and counts it.
    fn fold(&mut self, row: Self::Row<'_>, sink: &mut dyn Sink) -> Result<(), RowError>;
}

/// A response whose rows were all folded.
#[derive(Debug)]
pub struct Folded<F> {
    /// What the rows were folded into.
    pub fold: F,
    /// The rest of the body, with an empty array in place of the rows; empty where the body is nothing but rows.
    pub envelope: Vec<u8>,
}

/// How many bytes are decoded at once: some hundred microseconds of work, so that handing it to a thread costs little in
/// comparison. At most twice as much of a body is in memory, and what the connection buffers.
const BATCH_SIZE: usize = 256 * 1024;
/// The maximum number of chunks in a batch, so that many small ones take no more memory than few large ones.
const MAX_CHUNKS: usize = 1024;
/// A smaller batch is decoded on the async thread: handing it over would cost more than it saves.
const SMALL_BATCH: usize = 32 * 1024;

/// The whole program decodes as many batches at once as there are processors, first come first served: however many
/// accounts there are, scrapes share the processors with no more threads than that.
static PERMITS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get)));

/// A body that arrives in chunks.
pub(crate) trait Source: Send {
    /// The next chunk after decompression, never an empty one; `None` at the end of a complete body.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, ProviderError>> + Send;

    /// The error of a body that is longer than this many bytes.
    fn too_large(&self, limit: u64) -> ProviderError;
}

/// Chunks of a body that are decoded at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) chunks: Vec<Bytes>,
    length: usize,
    /// Whether it is the last of the body.
    pub(crate) last: bool,
}

impl Batch {
    /// The next batch of a body, of which `read` counts the bytes so far.
    pub(crate) async fn next(
        source: &mut impl Source,
        read: &mut u64,
        limit: u64,
    ) -> Result<Self, ProviderError> {
        let mut batch = Self::default();
        while batch.length < BATCH_SIZE && batch.chunks.len() < MAX_CHUNKS {
            let Some(chunk) = source.chunk().await? else {
                batch.last = true;
                break;
            };
            *read += chunk.len() as u64;
            if *read > limit {
                return Err(source.too_large(limit));
            }
            batch.length += chunk.len();
            batch.chunks.push(chunk);
        }
        Ok(batch)
    }

    /// Waits for a permit to decode it on a blocking thread; a small one needs none.
    pub(crate) async fn acquire_permit(&self) -> Option<Permit> {
        if self.length <= SMALL_BATCH {
            return None;
        }
        Some(acquire_permit().await)
    }
}

/// The right to decode on a blocking thread.
pub(crate) type Permit = SemaphorePermit<'static>;

/// Waits for a permit to decode on a blocking thread.
pub(crate) async fn acquire_permit() -> Permit {
    let permit = PERMITS.acquire().await;
    permit.expect("the semaphore is never closed")
}

/// Decodes on a blocking thread, or here where it needs no permit. If the future is dropped, the thread stops at the end
/// of this step.
pub(crate) async fn decode<T: Send + 'static>(
    permit: Option<Permit>,
    step: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let Some(permit) = permit else {
        return step();
    };
    let decoding = task::spawn_blocking(move || {
        let _permit = permit;
        step()
    });
    decoding
        .await
        .unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => Err(ProviderError::new(
                Reason::Timeout,
                "the exporter is shutting down",
            )),
        })
}

/// The rows of one response while they are read.
pub(super) struct RowReader<F> {
    splitter: Splitter,
    order: Order,
    fold: F,
    sink: SharedSink,
    place: String,
}

impl<F: Fold> RowReader<F> {
    pub(super) fn new(splitter: Splitter, fold: F, sink: SharedSink, place: String) -> Self {
        Self {
            splitter,
            order: Order::default(),
            fold,
            sink,
            place,
        }
    }

    /// Decodes the next batch.
    pub(super) async fn read(
        mut self,
        batch: Batch,
        permit: Option<Permit>,
    ) -> Result<Self, ProviderError> {
        decode(permit, move || {
            self.decode(&batch)?;
            Ok(self)
        })
        .await
    }

    /// Ends the body, if it may end here.
    pub(super) fn finish(self) -> Result<Folded<F>, ProviderError> {
        let rows = self.splitter.rows();
        let envelope = self
            .splitter
            .finish()
            .map_err(|error| RowError::Frame(error).at(&self.place, rows))?;
        Ok(Folded {
            fold: self.fold,
            envelope,
        })
    }

    fn decode(&mut self, batch: &Batch) -> Result<(), ProviderError> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut folder = RowFolder {
            order: &mut self.order,
            fold: &mut self.fold,
            sink: &mut *sink,
        };
        for chunk in &batch.chunks {
            self.splitter
                .push(chunk, &mut folder)
                .map_err(|error: RowError| error.at(&self.place, self.splitter.rows() + 1))?;
        }
        Ok(())
    }
}

/// Decodes rows and passes them to a [`Fold`].
struct RowFolder<'a, F> {
    order: &'a mut Order,
    fold: &'a mut F,
    sink: &'a mut dyn Sink,
}

impl<F: Fold> RowHandler<RowError> for RowFolder<'_, F> {
    fn try_prefix(&mut self, text: &str) -> Result<Option<usize>, RowError> {
        let Some((row, length)) = fast_reader::read(text, self.order) else {
            return Ok(None);
        };
        self.fold.fold(row, self.sink)?;
        Ok(Some(length))
    }

    fn row(&mut self, row: &[u8]) -> Result<(), RowError> {
        self.fold.fold(scalars::row(row)?, self.sink)
    }
}

#[cfg(test)]
mod tests;
