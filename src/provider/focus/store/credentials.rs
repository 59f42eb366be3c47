//! Credentials for `object_store`, which requests one before it builds each request.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::{BoxFuture, ready};
use object_store::CredentialProvider;

use super::service::Carried;
use crate::{
    clock::Clock,
    error::{ProviderError, Reason},
    http_client::Renewal,
};

/// Provides the credential of the next request.
pub(super) trait CredentialSource: Send + Sync + 'static {
    /// What `object_store` signs a request with, or sends along.
    type Credential: fmt::Debug + Send + Sync + 'static;

    /// The credential for the next request.
    fn credential(&self) -> BoxFuture<'_, Result<Arc<Self::Credential>, ProviderError>>;
}

/// A source in the form that `object_store` expects. Its `Debug` shows nothing of what it holds.
pub(super) struct Credentials<S>(pub(super) S);

impl<S> fmt::Debug for Credentials<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl<S: CredentialSource> CredentialProvider for Credentials<S> {
    type Credential = S::Credential;

    fn get_credential<'life, 'a>(
        &'life self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<S::Credential>>> + Send + 'a>>
    where
        'life: 'a,
        Self: 'a,
    {
        Box::pin(async move { self.0.credential().await.map_err(Carried::store_error) })
    }
}

/// Used where nothing is signed; `object_store` would search for a credential itself if it were given none.
pub(super) struct Unsigned<C>(PhantomData<fn() -> C>);

impl<C> Default for Unsigned<C> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<C: fmt::Debug + Send + Sync + 'static> CredentialSource for Unsigned<C> {
    type Credential = C;

    fn credential(&self) -> BoxFuture<'_, Result<Arc<C>, ProviderError>> {
        let error = ProviderError::new(Reason::Unauthorized, "requests are not signed");
        Box::pin(ready(Err(error)))
    }
}

/// Whether the store has refused a credential since the last one was requested: then it is no longer valid, whatever its
/// expiry.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused(Arc<AtomicBool>);

impl Refused {
    /// Notes a refusal.
    pub(super) fn note(&self, error: &ProviderError) {
        if error.reason() == Reason::Unauthorized {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Discards the kept credential if it was refused.
    pub(super) async fn discard<T: Clone>(&self, current: &Renewal<T>, clock: &Clock) {
        if self.0.swap(false, Ordering::Relaxed) {
            // Where one was issued just before, another one cannot help: the credential is kept.
            current.invalidate(clock, |_| true).await;
        }
    }
}
