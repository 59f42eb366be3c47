//! One row of an export, with all its costs.

use jiff::{Timestamp, ToSpan, civil::Date};

use super::export::utc;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::demo) enum Kind {
    /// What was used and is paid as usual.
    Usage,
    /// What was used and a commitment covers.
    Covered,
    /// The part of a commitment that covered nothing.
    Unused,
    /// The purchase of a commitment.
    Commitment,
    /// Something bought from another vendor, which has no contracted cost.
    Marketplace,
    /// Money back.
    Credit,
    /// Tax on everything else.
    Tax,
    /// Money back for a month that is invoiced already.
    Correction,
    /// What rounding an invoice leaves.
    Rounding,
}

impl Kind {
    /// `ChargeCategory`.
    pub(in crate::demo) fn category(self) -> &'static str {
        match self {
            Self::Usage | Self::Covered | Self::Unused | Self::Correction => "Usage",
            Self::Commitment | Self::Marketplace => "Purchase",
            Self::Credit => "Credit",
            Self::Tax => "Tax",
            Self::Rounding => "Adjustment",
        }
    }

    /// `ChargeFrequency`.
    pub(in crate::demo) fn frequency(self) -> &'static str {
        match self {
            Self::Usage | Self::Covered | Self::Unused | Self::Correction => "Usage-Based",
            Self::Commitment => "Recurring",
            Self::Marketplace | Self::Credit | Self::Tax | Self::Rounding => "One-Time",
        }
    }
}

/// One row.
#[derive(Debug, Clone)]
pub(in crate::demo) struct ExportRow {
    pub(in crate::demo) kind: Kind,
    /// The positions of its organisation, sub account and service; the whole organisation has neither of the latter.
    pub(in crate::demo) payer: usize,
    pub(in crate::demo) sub_account: Option<usize>,
    pub(in crate::demo) service: Option<usize>,
    /// Empty where it is about no resource.
    pub(in crate::demo) resource: String,
    /// The charge period, its end excluded.
    pub(in crate::demo) from: Timestamp,
    pub(in crate::demo) to: Timestamp,
    pub(in crate::demo) billed: f64,
    pub(in crate::demo) effective: f64,
    pub(in crate::demo) list: f64,
    pub(in crate::demo) contracted: Option<f64>,
    /// In the unit of the service.
    pub(in crate::demo) quantity: Option<f64>,
    /// The id of the invoice that it is on, once that is written.
    pub(in crate::demo) invoice: Option<String>,
}

impl ExportRow {
    /// A row about a whole organisation: all its costs are the same.
    pub(super) fn whole(kind: Kind, payer: usize, amount: f64) -> Self {
        Self {
            kind,
            payer,
            sub_account: None,
            service: None,
            resource: String::new(),
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            billed: amount,
            effective: amount,
            list: if kind == Kind::Unused { 0.0 } else { amount },
            contracted: Some(amount),
            quantity: None,
            invoice: None,
        }
    }

    pub(super) fn on(mut self, day: Date) -> Self {
        (self.from, self.to) = (utc(day), utc(day.saturating_add(1.day())));
        self
    }

    /// Amounts have ten decimal places, as most exports write them.
    pub(super) fn round(&mut self) {
        let round = |amount: f64| (amount * 1e10).round() / 1e10;
        self.billed = round(self.billed);
        self.effective = round(self.effective);
        self.list = round(self.list);
        self.contracted = self.contracted.map(round);
        self.quantity = self.quantity.map(round);
    }
}
