//! What a fetch brought of each month: new data, or word that the accepted delivery is still the newest.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use jiff::Timestamp;

use crate::charge::Month;

/// What one fetch of a part brought, by month.
///
/// A requested month that is not named here is replaced as far as the sink has charges, a report or a withholding of it,
/// and counts as read when the poll began. That is what every provider returns whose API answers with data each time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The months of which deliveries are known.
    pub months: BTreeMap<Month, FetchedMonth>,
    /// What must not be the same in two parts, where the provider knows it.
    pub content: Option<Content>,
}

/// What a part reported, as far as two parts of one poll that have it in common are one and the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// A hash of it, by [`Content::hash`].
    pub hash: u64,
    /// What becomes of parts that have it in common.
    pub twins: Twins,
}

/// What becomes of two parts with the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twins {
    /// It is the same money: both are `malformed`, with this text.
    Refused(&'static str),
    /// It may be an accident: both count, and this remark is made.
    Remarked(&'static str),
}

impl Content {
    /// The hash of a content, the same within one process.
    pub fn hash(content: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        hasher.finish()
    }
}

/// What a fetch brought of one month of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchedMonth {
    /// The sink has all charges of a delivery of the month, even if there are none: it replaces the month as
    /// [`Sink::report`](crate::charge::Sink::report) would. Once it is accepted, later polls are given it as one of
    /// [`Deliveries`]. While it is held back as implausible it is not among them, so that it is read again: the same
    /// content confirms it.
    Replaced(Delivery),
    /// The accepted delivery of the month is still the newest, and nothing was sent to the sink for the month. Its sums,
    /// rows, remarks and marks stay, and the poll counts as a success. Only a month of [`Deliveries`] can be unchanged.
    Unchanged {
        /// When it was delivered, as the source says now.
        delivered: Timestamp,
    },
}

/// One delivery of a month: what the source of an export wrote last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What distinguishes it from every other delivery.
    pub fingerprint: Fingerprint,
    /// When the source wrote it. The month counts as read at this time, or when the poll began if that was earlier:
    /// previous day, forecast and `cloudspend_data_timestamp_seconds` go by it, so that an export that has stopped does
    /// not close days as empty.
    pub delivered: Timestamp,
}

/// The accepted deliveries of the months of one part, as the poll begins. Empty where nothing was accepted yet and where
/// everything must be read, as in `explain` and `backfill`.
pub type Deliveries = BTreeMap<Month, Delivery>;

/// What distinguishes one delivery from another, such as a hash over names, `ETags` and sizes. Only the provider that made it
/// understands it; it is stored with the month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    decoder: u32,
    bytes: Arc<[u8]>,
}

impl Fingerprint {
    /// The maximum number of bytes.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// A fingerprint of data that this version of the provider's decoder read: a provider that understands the same
    /// bytes in another way, after an update of the program, raises its version, so that no stored fingerprint is equal
    /// and everything is read again. `None` if there are more than [`Self::MAX_BYTES`] bytes.
    pub fn new(decoder: u32, bytes: impl Into<Arc<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= Self::MAX_BYTES).then_some(Self { decoder, bytes })
    }

    /// The version of the decoder that read the data.
    pub fn decoder(&self) -> u32 {
        self.decoder
    }

    /// The bytes as the provider made them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Fetched {
    /// Everything that was requested is replaced by what the sink has.
    pub fn replaced() -> Self {
        Self::default()
    }

    /// Adds the content that no other part may have, if there is any.
    #[must_use]
    pub fn with_content(mut self, content: Option<Content>) -> Self {
        self.content = content;
        self
    }

    /// Adds a month whose delivery the sink has.
    #[must_use]
    pub fn with_delivery(mut self, month: Month, delivery: Delivery) -> Self {
        self.months.insert(month, FetchedMonth::Replaced(delivery));
        self
    }

    /// Adds a month whose accepted delivery, of this time, is still the newest.
    #[must_use]
    pub fn with_unchanged(mut self, month: Month, delivered: Timestamp) -> Self {
        let unchanged = FetchedMonth::Unchanged { delivered };
        self.months.insert(month, unchanged);
        self
    }

    /// Whether the accepted delivery of a month is still the newest.
    pub fn is_unchanged(&self, month: Month) -> bool {
        matches!(
            self.months.get(&month),
            Some(FetchedMonth::Unchanged { .. })
        )
    }
}
