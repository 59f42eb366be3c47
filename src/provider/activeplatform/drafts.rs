//! Drafts of the current and the previous month: provisional daily totals of a pay-as-you-go subscription, which are deleted
//! when final data arrives.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use super::{
    ActivePlatform, CurrentMonth,
    charges::{charge, check_subscription},
    responses::{DraftResponse, DraftsResponse},
};
use crate::{
    charge::{Month, Period, SharedSink, Sink},
    error::ProviderError,
    http_client::Fold,
    json::{
        RowError,
        scalars::{Number, Text},
    },
    provider::{Part, PollRequest},
};

/// What the dimension `category` shows for drafts, which have none.
const CATEGORY: &str = "(draft)";
/// How long the method is not requested for a subscription that it refused.
const OFF_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The most rows of one response: a month has few days, and a day few rows.
const MAX_ROWS: usize = 100_000;
/// How many days after a calendar month a day of its billing period may lie, since a day is the one on which the
/// platform billed what was used before.
const BILLING_LAG: i32 = 2;

/// The subscriptions whose drafts the API refused: the status, and when.
#[derive(Debug, Default)]
pub(super) struct DraftsOff(Mutex<BTreeMap<String, (u16, Timestamp)>>);

impl DraftsOff {
    /// The status with which a subscription was refused less than [`OFF_FOR`] ago.
    fn status(&self, subscription: &str, now: Timestamp) -> Option<u16> {
        let off = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let &(status, since) = off.get(subscription)?;
        (now.duration_since(since) < OFF_FOR).then_some(status)
    }

    /// Remembers a refusal. True if it is the first of the account.
    fn insert(&self, subscription: &str, status: u16, now: Timestamp) -> bool {
        let mut off = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = off.is_empty();
        off.retain(|_, (_, since)| now.duration_since(*since) < 2 * OFF_FOR);
        off.insert(subscription.to_owned(), (status, now));
        is_first
    }
}

/// The rows of one response.
struct DraftRows {
    /// The first day of the previous month: no window shows earlier ones.
    first: Date,
    /// Tomorrow: the platform's days may begin before those of the account.
    last: Date,
    rows: Vec<(Date, f64)>,
}

impl Fold for DraftRows {
    type Row<'a> = DraftResponse<'a>;

    /// One draft. The day is the one on which the platform billed it, as written.
    fn fold(&mut self, row: DraftResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let Number(total) = row
            .total
            .ok_or_else(|| RowError::field("total", "is missing"))?;
        let day: Date = Text::or_empty(row.billed_day.as_ref())
            .parse()
            .map_err(|_| RowError::field("billed_day", "must be a day as YYYY-MM-DD"))?;
        if day > self.last {
            return Err(RowError::field(
                "billed_day",
                format!("{day} lies in the future"),
            ));
        }
        if self.rows.len() >= MAX_ROWS {
            return Err(RowError::field(
                "items",
                format!("more than {MAX_ROWS} rows"),
            ));
        }
        sink.rows(1);
        if day >= self.first {
            self.rows.push((day, total));
        }
        Ok(())
    }
}

impl ActivePlatform {
    /// Charges the drafts of those of these months that may have any, the current and the previous one, and returns the
    /// months that they have days of. Each month is a request of its own, since a billing period may end in the next
    /// calendar month.
    pub(super) async fn drafts(
        &self,
        part: &Part,
        poll: &PollRequest,
        months: &BTreeSet<Month>,
        currency: &str,
        sink: &SharedSink,
    ) -> Result<BTreeSet<Month>, ProviderError> {
        let previous = poll.current.previous();
        let recent = months.range(previous..=poll.current).rev();
        let mut rows: Vec<(Date, f64)> = Vec::new();
        for &month in recent {
            if let Some(status) = self.drafts_off.status(&part.id, poll.now) {
                return Ok(none_for(status, sink));
            }
            let Some(read) = self.drafts_of(part, poll, month, sink).await? else {
                return Ok(self
                    .drafts_off
                    .status(&part.id, poll.now)
                    .map_or_else(BTreeSet::new, |status| none_for(status, sink)));
            };
            let new = without_repeated(month, &read, &rows);
            report_late_days(part, month, &new, sink);
            rows.extend(new);
            // Days before the requested period: the server sends all that it has, whatever is requested.
            if read.iter().any(|(day, _)| *day < month.first_day()) {
                break;
            }
        }
        let mut dimensions = vec![
            part.attribute("account_id"),
            part.attribute("name"),
            CATEGORY,
            &part.id,
        ];
        dimensions.resize(self.dimensions.len(), "");
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut drafted = BTreeSet::new();
        for (day, total) in rows {
            let month = Month::of(day);
            if months.contains(&month) {
                drafted.insert(month);
                let amount = (total, currency);
                charge(part, Period::Day(day), &dimensions, amount, &mut *sink)
                    .map_err(|error| RowError::from(error).at(self.daily_drafts.name, 0))?;
            }
        }
        Ok(drafted)
    }

    /// The drafts of one billing period; `None` where the API refuses them, which switches them off for the subscription.
    async fn drafts_of(
        &self,
        part: &Part,
        poll: &PollRequest,
        month: Month,
        sink: &SharedSink,
    ) -> Result<Option<Vec<(Date, f64)>>, ProviderError> {
        let collector = || DraftRows {
            first: poll.current.previous().first_day(),
            last: poll.today.saturating_add(1.day()),
            rows: Vec::new(),
        };
        let read = self
            .request_months(
                &self.daily_drafts,
                &part.id,
                (month, month),
                poll,
                sink,
                collector,
            )
            .await;
        let (request, read) = match read {
            Ok(read) => read,
            Err(error) => match error.status().filter(|status| self.switches_off(*status)) {
                Some(status) => {
                    self.switch_off(part, status, poll.now);
                    return Ok(None);
                }
                None => return Err(error),
            },
        };
        let response: DraftsResponse<'_> = request.read(&read.envelope)?;
        check_subscription(response.subscription.id.as_ref(), part, &request.place())?;
        Ok(Some(read.fold.rows))
    }

    /// Whether a status means that there are no drafts: the method does not exist, or not for this token or subscription.
    /// With `auto` a request that is refused in every form means the same, so that a service without drafts does not lose
    /// its final data, too.
    fn switches_off(&self, status: u16) -> bool {
        match status {
            403 | 404 => true,
            400 | 422 => self.current_month == CurrentMonth::Auto,
            _ => false,
        }
    }

    fn switch_off(&self, part: &Part, status: u16, now: Timestamp) {
        let account = self.http.account();
        tracing::debug!(
            account,
            part = part.id,
            status,
            "Drafts are off for a subscription"
        );
        if self.drafts_off.insert(&part.id, status, now) {
            tracing::info!(
                account,
                part = part.id,
                status,
                "The API refuses drafts: months without final data are withheld, drafts are requested again once a day"
            );
        }
    }
}

/// Reports that there are no drafts. The text is the same for all subscriptions, so that an account has it once.
fn none_for(status: u16, sink: &SharedSink) -> BTreeSet<Month> {
    let remark = format!(
        "the API refuses drafts of subscriptions (status {status}): their months are withheld until final data names them"
    );
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    sink.remark(&remark);
    BTreeSet::new()
}

/// The rows of one period without those after its month that came with the next period already: a server that does not
/// select by period sends the same rows for both.
fn without_repeated(month: Month, read: &[(Date, f64)], known: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let is_late = |day: Date| day > month.last_day();
    let is_repeated = read.iter().any(|(day, total)| {
        let is_same = |known: &(Date, f64)| known.0 == *day && known.1.to_bits() == total.to_bits();
        is_late(*day) && *total != 0.0 && known.iter().any(is_same)
    });
    let rows = read.iter().copied();
    rows.filter(|(day, _)| !(is_repeated && is_late(*day)))
        .collect()
}

/// Reports a billing period that is not a calendar month, where its days show it.
fn report_late_days(part: &Part, month: Month, rows: &[(Date, f64)], sink: &SharedSink) {
    let last_day = month.last_day().saturating_add(BILLING_LAG.days());
    let newest = rows.iter().map(|(day, _)| *day).max();
    if let Some(day) = newest.filter(|day| *day > last_day) {
        let remark = format!(
            "subscription {}: the billing period {month} has days until {day}, so it is not the calendar month",
            part.id
        );
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.remark(&remark);
    }
}
