//! Fetches the past months of one account, waiting where the provider requests it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::BackfillError;
use crate::{
    account::Account,
    charge::{Month, start_of_day},
    cli,
    clock::add,
    commands::pauses::with_pauses,
    ledger::{self, LabelMapping},
    poller::PartFetcher,
    provider::{Deliveries, Part, PollRequest},
    state::{AccountState, MonthState},
    telemetry::progress::Progress,
    view::PastView,
};

/// Fetches all months of one account that its samples need: those of the days and the one before the first, one month
/// per request. A month that is fetched alone is complete and counted once with every provider.
pub(super) async fn read(
    account: Arc<Account>,
    flags: &cli::Backfill,
    now: Timestamp,
    progress: &Progress,
) -> Result<PastView, BackfillError> {
    let zone = account.zone.clone();
    let today = now.to_zoned(zone.clone()).date();
    let request = PollRequest {
        months: months(flags.from, flags.to),
        current: Month::of(today),
        today,
        now,
    };
    let fetcher = PartFetcher::new(Arc::clone(&account));
    let parts = with_pauses(&account, async || fetcher.parts(&request, None).await)
        .await
        .map_err(|source| BackfillError::Discovery {
            account: account.name.clone(),
            source: Box::new(source),
        })?;
    let mut state = AccountState::new(LabelMapping::of(&account).width());
    state.set_listed_parts(&parts);
    let requests: Vec<(&Part, PollRequest)> = parts
        .iter()
        .flat_map(|part| {
            request.months.iter().map(move |month| {
                let months = vec![*month];
                (part, months)
            })
        })
        .map(|(part, months)| {
            (
                part,
                PollRequest {
                    months,
                    ..request.clone()
                },
            )
        })
        .collect();
    progress.expect(requests.len());
    let mut responses = stream::iter(&requests)
        .map(|(part, request)| fetch(&account, &fetcher, part, request))
        .buffer_unordered(account.poll.concurrency);
    let mut remarks = BTreeSet::new();
    while let Some(response) = responses.next().await {
        let (part, request, mut totals) = response?;
        progress.fetched(&format!("{} {}", account.name, request.months[0]));
        remarks.append(&mut totals.remarks);
        state.accept(&part.id, totals, request, &zone);
    }
    remarks.extend(state.month_remarks());
    log_remarks(&account, &state, &remarks);
    let instants = instants(flags.from, flags.to, flags.step, &zone);
    Ok(PastView::new(Arc::clone(&account), state, instants))
}

/// Fetches one month of one part.
async fn fetch<'a>(
    account: &Account,
    fetcher: &PartFetcher,
    part: &'a Part,
    request: &'a PollRequest,
) -> Result<(&'a Part, &'a PollRequest, ledger::PartTotals), BackfillError> {
    let known = Deliveries::default();
    let fetching = async || fetcher.fetch(part, request, &known, None).await;
    match with_pauses(account, fetching).await {
        Ok(totals) => Ok((part, request, totals)),
        Err(source) => Err(BackfillError::Part {
            account: account.name.clone(),
            part: part.id.clone(),
            month: request.months[0],
            source: Box::new(source),
        }),
    }
}

/// Logs what is unusual about the data.
fn log_remarks(account: &Account, state: &AccountState, remarks: &BTreeSet<String>) {
    let account = &account.name;
    if state.parts.is_empty() {
        tracing::warn!(
            account,
            "The provider lists no parts, so nothing was fetched"
        );
    }
    for (part, state) in &state.parts {
        for (month, data) in &state.months {
            if *data == MonthState::Withheld {
                tracing::warn!(account, part, %month, "The provider does not report this month, so it is not written");
            }
        }
    }
    for remark in remarks {
        tracing::info!(account, remark, "Remark about the data");
    }
}

/// The month before the first day and all months up to that of the last day, oldest first.
fn months(from: Date, to: Date) -> Vec<Month> {
    let last = Month::of(to.saturating_sub(1.day()));
    std::iter::successors(Some(Month::of(from).previous()), |month| Some(month.next()))
        .take_while(|month| *month <= last)
        .collect()
}

/// The sample times of all days. Each day counts from its own start, so that it has its first sample in spite of daylight
/// saving time.
fn instants(
    from: Date,
    to: Date,
    step: Duration,
    zone: &TimeZone,
) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), |day| day.tomorrow().ok())
        .take_while(move |day| *day < to)
        .flat_map(move |day| {
            let end = start_of_day(day.saturating_add(1.day()), zone);
            std::iter::successors(Some(start_of_day(day, zone)), move |at| {
                Some(add(*at, step))
            })
            .take_while(move |at| *at < end)
        })
}
