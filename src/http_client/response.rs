//! A response whose body is still to be read, within its limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    body::Body,
    row_stream::{Batch, Source},
    status::stalled,
};
use crate::error::{ProviderError, Reason};

/// A successful response whose body is still to be read. It counts as one of the account's concurrent requests
/// while it has the permit.
#[derive(Debug)]
pub(super) struct Response {
    body: Body,
    /// How many bytes of the body were read.
    read: u64,
    /// The status says that there is no body.
    empty: bool,
    place: String,
    correlation_id: Option<Uuid>,
    /// How long it may send nothing.
    silence: Duration,
    permit: Option<OwnedSemaphorePermit>,
}

impl Response {
    pub(super) fn new(
        response: reqwest::Response,
        place: String,
        correlation_id: Option<Uuid>,
        permit: OwnedSemaphorePermit,
        silence: Duration,
    ) -> Result<Self, ProviderError> {
        Ok(Self {
            read: 0,
            empty: response.status() == StatusCode::NO_CONTENT,
            body: Body::new(response, place.clone())
                .map_err(|error| error.with_correlation_id(correlation_id))?,
            place,
            correlation_id,
            silence,
            permit: Some(permit),
        })
    }

    /// The same for a response whose body is read as it was sent.
    pub(super) fn as_stored(
        response: reqwest::Response,
        place: String,
        permit: OwnedSemaphorePermit,
        silence: Duration,
    ) -> Self {
        Self {
            read: 0,
            empty: response.status() == StatusCode::NO_CONTENT,
            body: Body::as_stored(response, place.clone()),
            place,
            correlation_id: None,
            silence,
            permit: Some(permit),
        }
    }

    /// The request as errors show it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The declared length of the body in bytes.
    pub(super) fn length(&self) -> Option<u64> {
        self.body.length()
    }

    /// Whether the end of the body can be known.
    pub(super) fn is_framed(&self) -> bool {
        self.body.is_framed()
    }

    /// No longer counts as one of the account's concurrent requests.
    pub(super) fn release_permit(&mut self) {
        self.permit = None;
    }

    /// Reads the whole body.
    pub(super) async fn whole(&mut self, limit: usize) -> Result<Bytes, ProviderError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(self.too_large(limit as u64));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The next batch of a body that is read row by row.
    pub(super) async fn batch(&mut self, limit: u64) -> Result<Batch, ProviderError> {
        let mut read = self.read;
        let batch = Batch::next(self, &mut read, limit).await;
        self.read = read;
        batch
    }

    /// Refuses a body whose end cannot be known.
    pub(super) fn require_framing(&self) -> Result<(), ProviderError> {
        let framed = self.body.require_framing();
        framed.map_err(|error| error.with_correlation_id(self.correlation_id))
    }
}

impl Source for Response {
    async fn chunk(&mut self) -> Result<Option<Bytes>, ProviderError> {
        if self.empty {
            return Ok(None);
        }
        let chunk = tokio::time::timeout(self.silence, self.body.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| Err(stalled(&self.place)));
        chunk.map_err(|error| error.with_correlation_id(self.correlation_id))
    }

    fn too_large(&self, limit: u64) -> ProviderError {
        ProviderError::new(
            Reason::TooLarge,
            format!("{}: the response is longer than {limit} bytes", self.place),
        )
        .with_correlation_id(self.correlation_id)
    }
}
