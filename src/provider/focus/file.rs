//! One file of an export, as the readers of rows see it.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};

use crate::error::ProviderError;

/// One file of an export, read unchanged since it was listed.
pub(super) trait ExportFile: Send + Sync {
    /// Its address below the location, for error messages.
    fn name(&self) -> &str;

    /// Its size in bytes as listed; `None` if nothing says it.
    fn size(&self) -> Option<u64>;

    /// Whether reading it shows where it ends: a file that is cut off before is then an error, whatever is in it.
    fn has_end(&self) -> bool {
        self.size().is_some()
    }

    /// Its bytes from the start, in order.
    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>>;

    /// A range of its bytes, exactly as long as asked for.
    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>>;
}

/// The bytes of a file while they arrive. After an error there are no more.
pub(super) type FileBytes = BoxStream<'static, Result<Bytes, ProviderError>>;
