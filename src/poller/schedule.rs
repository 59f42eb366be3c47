//! When an account is polled, which months a poll fetches, and in which order its parts are fetched.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};

use crate::{
    account::Account,
    charge::Month,
    clock::{add, until},
    provider::{Granularity, MonthFetch, Part, PollRequest},
    state::{AccountState, MonthState, Status},
    view::day_closes,
};

/// The start of the second poll is spread over this share of the interval, so that accounts do not stay in step.
const JITTER: f64 = 0.1;
/// The distance between the first polls of accounts that start together, so that hundreds of them do not log in at the
/// same moment. All start within the share of the interval above.
const FIRST_POLL_SPACING: Duration = Duration::from_millis(20);
/// The time between a failed poll and the first poll after a restart or a reload: a corrected secret takes effect soon,
/// and a program that crashes in a loop does not flood an API.
const AFTER_FAILURE: Duration = Duration::from_mins(1);
/// A longer Retry-After is cut to this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A random part of the share of an interval over which polls are spread.
pub(super) fn jitter(interval: Duration) -> Duration {
    interval.mul_f64(JITTER * fastrand::f64())
}

/// How long the first poll of an account is delayed behind those of so many others.
pub(super) fn first_delay(interval: Duration, others: usize) -> Duration {
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    let max = interval.mul_f64(JITTER);
    FIRST_POLL_SPACING.saturating_mul(others).min(max)
}

/// How long to wait before the first poll after a restart or a reload: for the rest of the interval since the last
/// attempt (of a minute where that failed), or of the time that the provider asked for. Never longer than an interval
/// or [`MAX_RETRY_AFTER`], even if the clock was set back.
pub(super) fn until_first_poll(interval: Duration, status: &Status, now: Timestamp) -> Duration {
    let remaining = |end: Timestamp, max: Duration| until(now, end).min(max);
    let pause = if status.success {
        interval
    } else {
        interval.min(AFTER_FAILURE)
    };
    let due = status
        .last_attempt
        .map(|last| remaining(add(last, pause), pause));
    let held = status
        .rate_limited_until
        .map(|held| remaining(held, MAX_RETRY_AFTER));
    due.max(held).unwrap_or_default()
}

/// Whether a reload may start a poll before it is due: the last one failed, and the provider does not ask to wait.
pub(super) fn may_retry(status: &Status, now: Timestamp) -> bool {
    let failed = status.last_attempt.is_some() && !status.success;
    failed && status.rate_limited_until.is_none_or(|held| held <= now)
}

/// What to fetch now: the current month, and the previous one while it may still change.
pub(super) fn poll_request(account: &Account, state: &AccountState, now: Timestamp) -> PollRequest {
    let today = now.to_zoned(account.zone.clone()).date();
    let current = Month::of(today);
    let previous = current.previous();
    let both = match account.provider.month_fetch() {
        MonthFetch::Both => true,
        MonthFetch::Each | MonthFetch::EachIfChanged => {
            state.parts.is_empty()
                || state.parts.values().any(|part| {
                    part.listed && previous_is_due(account, part.months.get(&previous), today, now)
                })
        }
    };
    PollRequest {
        months: if both {
            vec![previous, current]
        } else {
            vec![current]
        },
        current,
        today,
        now,
    }
}

/// What is fetched of each part at once. Where each month is a request of its own, so is each fetch: it is retried, and
/// accepted or rejected, by itself, so that a slow current month does not hold back a closed one.
pub(super) fn fetches(account: &Account, request: &PollRequest) -> Vec<PollRequest> {
    match account.provider.month_fetch() {
        MonthFetch::Both | MonthFetch::EachIfChanged => vec![request.clone()],
        MonthFetch::Each => {
            let months = request.months.iter();
            months
                .map(|month| PollRequest {
                    months: vec![*month],
                    ..request.clone()
                })
                .collect()
        }
    }
}

/// Whether the closed month must be fetched again: it never was, it may be restated and was not fetched today (or is only
/// read where it changed), or its last day has closed since.
fn previous_is_due(
    account: &Account,
    known: Option<&MonthState>,
    today: Date,
    now: Timestamp,
) -> bool {
    let zone = &account.zone;
    let Some(MonthState::Reported(known)) = known else {
        return true;
    };
    let current = Month::of(today);
    let is_read_once_a_day = account.provider.month_fetch() == MonthFetch::Each;
    let fetched_today = known.polled.to_zoned(zone.clone()).date() == today;
    let restated_until = add(current.start(zone), account.poll.restatement);
    let has_days = account
        .provider
        .measures()
        .iter()
        .any(|(_, grain)| matches!(grain, Granularity::Day | Granularity::CurrentDay));
    let closes = day_closes(
        current.previous().last_day(),
        zone,
        account.day_closes_after,
    );
    let is_read = is_read_once_a_day && fetched_today;
    (!is_read && now < restated_until) || (has_days && known.as_of() < closes && closes <= now)
}

/// The listed parts, those longest without success first, so that none starves.
pub(super) fn parts_in_order(state: &AccountState) -> Vec<Part> {
    let mut parts: Vec<_> = state.parts.values().filter(|part| part.listed).collect();
    parts.sort_by_key(|part| part.last_success);
    parts.into_iter().map(|part| part.part.clone()).collect()
}

#[cfg(test)]
mod tests;
