//! One account: the keys that every provider's accounts have, how often it is polled, and the provider that is built from the rest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use figment::value::{Dict, Value};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{
    Loader,
    labels::Offered,
    scalar::{Day, Span},
    schema,
};
use crate::{
    account::{Account, Labels, Poll},
    config::yaml::join,
    diagnostics::unknown_key,
};
use crate::{
    http_client::{self, retry::Backoff},
    provider::{
        Provider,
        config::{BuildContext, Text, Uses},
        registry::{ProviderEntry, ProviderName},
    },
};

/// How accounts are polled. Every key may stand in any account, too.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PollSection {
    /// From the start of one poll to the start of the next, and the deadline of one poll. At least 1s.
    interval: Option<Span>,
    /// The deadline of one part.
    timeout: Option<Span>,
    /// A part without success for this long is stale.
    stale_after: Option<Span>,
    /// The most label sets of an account that are served; the rest is folded, the sum kept.
    #[schemars(range(min = 1, max = MAX_SERIES))]
    max_series: Option<usize>,
    /// How long after a month's end it is read again, daily.
    restatement: Option<Span>,
    /// Whether an answer far smaller than the last is held back.
    plausibility: Option<bool>,
    /// Requests a second to the API, at the most. The default differs by provider.
    #[schemars(range(min = *PACE.start(), max = *PACE.end()))]
    requests_per_second: Option<f64>,
    /// Requests to the API at the same time, at the most. The default differs by provider.
    #[schemars(range(min = *CONCURRENCY.start(), max = *CONCURRENCY.end()))]
    concurrency: Option<usize>,
}

/// The keys that every account may have beside those of `poll` and its provider's own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommonSection {
    /// The IANA name of the time zone in which the account is billed.
    timezone: Option<String>,
    /// The last day on which the credential is valid, YYYY-MM-DD.
    credential_expires: Option<Day>,
    /// Which of the provider's dimensions the three labels show.
    pub(super) dimensions: Option<DimensionsSection>,
    /// Dimensions that become labels of their own; `tag:KEY` becomes `tag_key`.
    pub(super) extra_labels: Option<Vec<String>>,
    /// Names to show, by label and then by id; where a dimension has no id, by the value as sent.
    pub(super) aliases: Option<BTreeMap<String, BTreeMap<String, Text>>>,
    /// How long after its local end a day is taken as closed.
    day_closes_after: Option<Span>,
}

/// The names of dimensions for the three labels.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DimensionsSection {
    /// Shown by the label `customer`.
    pub(super) customer: Option<String>,
    /// Shown by the label `project`.
    pub(super) project: Option<String>,
    /// Shown by the label `product`.
    pub(super) product: Option<String>,
}

/// No span of time in this file is longer: it keeps every sum of a time and a span within the calendar.
const MAX_SPAN: Duration = Duration::from_hours(366 * 24);
const SECOND: Duration = Duration::from_secs(1);
const MAX_SERIES: usize = 10_000_000;
const PACE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;
const CONCURRENCY: std::ops::RangeInclusive<usize> = 1..=64;
/// Label values are cut at this many characters; a name that is cut could meet another one.
const MAX_NAME: usize = 200;

impl PollSection {
    /// Tells and drops what is out of bounds.
    pub(super) fn check(&mut self, place: &str, loader: &mut Loader<'_>) {
        let mut tell = |key: &str, wrong: bool, message: String| {
            if wrong {
                loader.diagnostics.push(join(place, key), message);
            }
            wrong
        };
        for (key, span, least) in [
            ("interval", &mut self.interval, SECOND),
            ("timeout", &mut self.timeout, SECOND),
            ("stale_after", &mut self.stale_after, SECOND),
            ("restatement", &mut self.restatement, Duration::ZERO),
        ] {
            let wrong = span.is_some_and(|Span(span)| span < least || span > MAX_SPAN);
            if tell(key, wrong, bounds(least)) {
                *span = None;
            }
        }
        let wrong = |series| !(1..=MAX_SERIES).contains(&series);
        if tell(
            "max_series",
            self.max_series.is_some_and(wrong),
            format!("must be from 1 to {MAX_SERIES}"),
        ) {
            self.max_series = None;
        }
        let wrong = |pace| !PACE.contains(&pace);
        if tell(
            "requests_per_second",
            self.requests_per_second.is_some_and(wrong),
            format!("must be from {} to {}", PACE.start(), PACE.end()),
        ) {
            self.requests_per_second = None;
        }
        let wrong = |places| !CONCURRENCY.contains(&places);
        if tell(
            "concurrency",
            self.concurrency.is_some_and(wrong),
            format!(
                "must be from {} to {}",
                CONCURRENCY.start(),
                CONCURRENCY.end()
            ),
        ) {
            self.concurrency = None;
        }
    }

    /// What is written here, and for the rest what is written below.
    fn over(&self, below: &Self) -> Self {
        Self {
            interval: self.interval.or(below.interval),
            timeout: self.timeout.or(below.timeout),
            stale_after: self.stale_after.or(below.stale_after),
            max_series: self.max_series.or(below.max_series),
            restatement: self.restatement.or(below.restatement),
            plausibility: self.plausibility.or(below.plausibility),
            requests_per_second: self.requests_per_second.or(below.requests_per_second),
            concurrency: self.concurrency.or(below.concurrency),
        }
    }

    /// The settings, where every key has a value; the provider says the last two.
    fn settle(&self, wiring: &ProviderEntry) -> Option<Poll> {
        Some(Poll {
            interval: self.interval?.0,
            timeout: self.timeout?.0,
            stale_after: self.stale_after?.0,
            max_series: self.max_series?,
            restatement: self.restatement?.0,
            plausibility: self.plausibility?,
            requests_per_second: self
                .requests_per_second
                .unwrap_or(wiring.defaults.requests_per_second),
            concurrency: self.concurrency.unwrap_or(wiring.defaults.concurrency),
        })
    }
}

fn bounds(least: Duration) -> String {
    format!(
        "must be from {} to 366days",
        humantime::format_duration(least)
    )
}

/// The keys of an account, sorted by who reads them.
struct Written {
    provider: Option<Value>,
    poll: Dict,
    common: Dict,
    own: Dict,
}

impl Written {
    fn sort(values: Dict) -> Self {
        let poll = schema::keys_of::<PollSection>();
        let common = schema::keys_of::<CommonSection>();
        let mut written = Self {
            provider: None,
            poll: Dict::new(),
            common: Dict::new(),
            own: Dict::new(),
        };
        for (key, value) in values {
            if key == "provider" {
                written.provider = Some(value);
            } else if poll.contains(&key) {
                written.poll.insert(key, value);
            } else if common.contains(&key) {
                written.common.insert(key, value);
            } else {
                written.own.insert(key, value);
            }
        }
        written
    }
}

/// Reads, checks and builds one account. `None` once a diagnostic was reported.
pub(super) fn build(
    name: &str,
    values: Dict,
    poll: &(Dict, PollSection),
    loader: &mut Loader<'_>,
) -> Option<Account> {
    let place = join("accounts", name);
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let message =
            format!("the name must have 1 to {MAX_NAME} characters and no control characters");
        loader.diagnostics.push(place.clone(), message);
    }
    let (poll_written, poll) = poll;
    let mut everything = poll_written.clone();
    everything.extend(values.clone());

    let mut written = Written::sort(values);
    let provider_name = provider(&place, written.provider.as_ref(), loader);
    if let Some(provider_name) = provider_name {
        refuse_unknown(&place, provider_name, &mut written.own, loader);
    }
    let mut own_poll: PollSection = loader
        .diagnostics
        .read(written.poll, &place)
        .unwrap_or_default();
    own_poll.check(&place, loader);
    let common: CommonSection = loader
        .diagnostics
        .read(written.common, &place)
        .unwrap_or_default();
    let day_closes_after = common.day_closes_after.map(|Span(span)| span);
    if day_closes_after.is_some_and(|span| span > MAX_SPAN) {
        loader
            .diagnostics
            .push(join(&place, "day_closes_after"), bounds(Duration::ZERO));
    }
    let zone = zone(&place, &common, provider_name, loader);
    let wiring = provider_name.map(loader.wiring);
    let settings =
        wiring.and_then(|wiring| own_poll.over(poll).over(&loader.general).settle(&wiring));
    let (Some(provider_name), Some(wiring), Some(settings)) = (provider_name, wiring, settings)
    else {
        Labels::build(&place, &common, Offered::Unknown, loader);
        return None;
    };

    let counters = (loader.counters)(name);
    let own = written.own.clone();
    let (provider, base_url) = connect(
        &place,
        written.own,
        &wiring,
        http_client::Settings {
            account: name.to_owned(),
            requests_per_second: settings.requests_per_second,
            concurrency: settings.concurrency,
            timeout: settings.timeout,
            backoff: Backoff::REQUEST,
            bounds: http_client::Bounds::default(),
            counters: Arc::clone(&counters),
            clock: loader.clock.clone(),
        },
        zone.clone(),
        &common,
        loader,
    );
    loader
        .overlaps
        .push(name, (provider_name, &wiring), base_url, own);
    let offered = match &provider {
        Some(provider) => Offered::By(provider.dimensions()),
        None => Offered::Names(wiring.offers),
    };
    let labels = Labels::build(&place, &common, offered, loader);
    let account = Account {
        name: name.to_owned(),
        provider_name,
        provider: Arc::from(provider?),
        zone,
        poll: settings,
        day_closes_after: day_closes_after.unwrap_or(wiring.defaults.day_closes_after),
        credential_expires: common.credential_expires.map(|Day(day)| day),
        labels: labels?,
        written: everything,
        counters,
    };
    account.warn(loader);
    Some(account)
}

impl Account {
    /// Says what is allowed and yet hardly meant.
    fn warn(&self, loader: &mut Loader<'_>) {
        let place = join("accounts", &self.name);
        if self.poll.stale_after <= self.poll.interval {
            loader.warnings.push(format!(
                "{place}: stale_after is not longer than interval, so that the account is stale before its next poll ends"
            ));
        }
        let today = loader.clock.now().to_zoned(self.zone.clone()).date();
        if let Some(day) = self.credential_expires
            && day < today
        {
            loader
                .warnings
                .push(format!("{place}: the credential expired on {day}"));
        }
    }
}

fn provider(place: &str, written: Option<&Value>, loader: &mut Loader<'_>) -> Option<ProviderName> {
    let known = written
        .and_then(Value::as_str)
        .and_then(ProviderName::named);
    if known.is_none() {
        let all = ProviderName::all()
            .map(ProviderName::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let message = match written {
            None | Some(Value::Empty(..)) => format!("is required; one of {all}"),
            Some(_) => format!("unknown provider; allowed are {all}"),
        };
        loader.diagnostics.push(join(place, "provider"), message);
    }
    known
}

/// Tells the keys that neither the provider nor every account has, with all that are allowed.
fn refuse_unknown(place: &str, provider: ProviderName, own: &mut Dict, loader: &mut Loader<'_>) {
    let wiring = (loader.wiring)(provider);
    let allowed = schema::keys_of_provider(&wiring);
    own.retain(|key, _| {
        let known = allowed.contains(key);
        if !known {
            let common = schema::keys_of::<CommonSection>();
            let poll = schema::keys_of::<PollSection>();
            let all = std::iter::once("provider")
                .chain(allowed.iter().map(String::as_str))
                .chain(common.iter().map(String::as_str))
                .chain(poll.iter().map(String::as_str));
            loader.diagnostics.push(join(place, key), unknown_key(all));
        }
        known
    });
}

fn zone(
    place: &str,
    common: &CommonSection,
    provider: Option<ProviderName>,
    loader: &mut Loader<'_>,
) -> TimeZone {
    let default = provider.map_or("UTC", |provider| {
        (loader.wiring)(provider).defaults.timezone
    });
    let name = common.timezone.as_deref().unwrap_or(default);
    TimeZone::get(name).unwrap_or_else(|_| {
        loader.diagnostics.push(
            join(place, "timezone"),
            "must be the IANA name of a time zone, such as Europe/Berlin or UTC",
        );
        TimeZone::UTC
    })
}

/// Builds the provider, and tells the base URL that it uses.
fn connect(
    place: &str,
    own: Dict,
    wiring: &ProviderEntry,
    http: http_client::Settings,
    zone: TimeZone,
    common: &CommonSection,
    loader: &mut Loader<'_>,
) -> (Option<Box<dyn Provider>>, Option<Url>) {
    let before = loader.diagnostics.len();
    let mut context = BuildContext {
        key_prefix: place.to_owned(),
        zone,
        tags: common.tags(),
        http,
        diagnostics: &mut loader.diagnostics,
        uses: Uses::default(),
    };
    let provider = (wiring.build)(own, &mut context);
    let Uses { secrets, mut urls } = context.uses;
    loader.secrets.extend(secrets);
    if provider.is_none() && loader.diagnostics.len() == before {
        // A provider that says nothing about why must not make its account vanish.
        loader
            .diagnostics
            .push(place, "cannot be used as it is written");
    }
    (provider, urls.remove("base_url"))
}
