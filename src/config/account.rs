//! One account: sorts its keys by what reads them, checks them, and builds the provider from the provider's own.

use std::{sync::Arc, time::Duration};

use figment::value::{Dict, Value};
use jiff::tz::TimeZone;
use url::Url;

use super::{
    labels::Offered,
    load::Loader,
    scalar::{Day, Span},
    schema,
    sections::{CommonSection, MAX_NAME, MAX_SPAN, PollSection, bounds},
    yaml::join,
};
use crate::{
    account::{Account, Labels},
    diagnostics::unknown_key,
    http_client::{self, Authorities, retry::Backoff},
    provider::{
        Provider,
        config::{BuildContext, Uses},
        registry::{ProviderEntry, ProviderName},
    },
};

/// The longest value of the label `provider`.
const MAX_PROVIDER_LABEL: usize = 63;

/// The keys of an account, sorted by what reads them.
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

/// Reads, checks and builds one account. `None` where an error was reported.
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
        reject_unknown_keys(&place, provider_name, &mut written.own, loader);
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
    let label = provider_label(&place, common.provider_label.as_deref(), loader);
    let zone = zone(&place, &common, provider_name, loader);
    let entry = provider_name.map(loader.entry_of);
    let settings =
        entry.and_then(|entry| own_poll.over(poll).over(&loader.general).resolve(&entry));
    let (Some(provider_name), Some(entry), Some(settings)) = (provider_name, entry, settings)
    else {
        Labels::build(&place, &common, Offered::Unknown, loader);
        return None;
    };

    let counters = (loader.counters)(name);
    let authorities = authorities(&place, &common, loader);
    let own = written.own.clone();
    let (provider, base_url) = connect(
        &place,
        written.own,
        &entry,
        http_client::Settings {
            account: name.to_owned(),
            requests_per_second: settings.requests_per_second,
            concurrency: settings.concurrency,
            timeout: settings.timeout,
            backoff: Backoff::REQUEST,
            bounds: http_client::Bounds::default(),
            authorities,
            counters: Arc::clone(&counters),
            clock: loader.clock.clone(),
        },
        (zone.clone(), settings.restatement),
        &common,
        loader,
    );
    loader
        .overlaps
        .push(name, (provider_name, &entry), base_url, own);
    let offered = match &provider {
        Some(provider) => Offered::By(provider.dimensions()),
        None => Offered::Names(entry.offers),
    };
    let labels = Labels::build(&place, &common, offered, loader);
    let account = Account {
        name: name.to_owned(),
        provider_name,
        provider_label: label.unwrap_or_else(|| provider_name.as_str().to_owned()),
        provider: Arc::from(provider?),
        zone,
        poll: settings,
        day_closes_after: day_closes_after.unwrap_or(entry.defaults.day_closes_after),
        credential_expires: common.credential_expires.map(|Day(day)| day),
        labels: labels?,
        written: everything,
        counters,
    };
    account.warn(loader);
    if loader.advises {
        account.advise(&entry, loader);
    }
    Some(account)
}

impl Account {
    /// Warns about what is allowed but probably not intended.
    fn warn(&self, loader: &mut Loader<'_>) {
        let place = join("accounts", &self.name);
        if self.poll.stale_after <= self.poll.interval {
            loader.warnings.push(format!(
                "{place}: stale_after is not longer than interval, so the account becomes stale before its next poll ends"
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

impl Account {
    /// Warns about what works, but brings nothing or ends unnoticed.
    fn advise(&self, entry: &ProviderEntry, loader: &mut Loader<'_>) {
        let place = join("accounts", &self.name);
        if let Some(cached) = entry
            .cached_for
            .filter(|cached| self.poll.interval < *cached)
        {
            let cached = humantime::format_duration(cached);
            loader.warnings.push(format!(
                "{place}: interval is below {cached}, for which the API serves equal requests from a cache, so more requests bring nothing new"
            ));
        }
        if let Some(days) = entry
            .credential_days
            .filter(|_| self.credential_expires.is_none())
        {
            loader.warnings.push(format!(
                "{place}: credential_expires is not set: keys live {days} days by default, and without the date no alert fires before this one expires"
            ));
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

/// The configured value of the label `provider`, if it is valid.
fn provider_label(place: &str, written: Option<&str>, loader: &mut Loader<'_>) -> Option<String> {
    let label = written?;
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    if (1..=MAX_PROVIDER_LABEL).contains(&label.len()) && label.bytes().all(is_allowed) {
        return Some(label.to_owned());
    }
    let message = format!("must be 1 to {MAX_PROVIDER_LABEL} of a-z, 0-9, _ and -");
    let key = join(place, "provider_label");
    loader.diagnostics.push_value(key, &message, label);
    None
}

/// Reports the keys that neither the provider nor every account has, with all that are allowed.
fn reject_unknown_keys(
    place: &str,
    provider: ProviderName,
    own: &mut Dict,
    loader: &mut Loader<'_>,
) {
    let entry = (loader.entry_of)(provider);
    let allowed = schema::keys_of_provider(&entry);
    own.retain(|key, _| {
        let known = allowed.contains(key);
        if !known {
            let common = schema::keys_of::<CommonSection>();
            let poll = schema::keys_of::<PollSection>();
            let all = std::iter::once("provider")
                .chain(allowed.iter().map(String::as_str))
                .chain(common.iter().map(String::as_str))
                .chain(poll.iter().map(String::as_str));
            loader
                .diagnostics
                .push(join(place, key), unknown_key(key, all));
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
        (loader.entry_of)(provider).defaults.timezone
    });
    let name = common.timezone.as_deref().unwrap_or(default);
    TimeZone::get(name).unwrap_or_else(|_| {
        loader.diagnostics.push_value(
            join(place, "timezone"),
            "must be the IANA name of a time zone, such as Europe/Berlin or UTC",
            name,
        );
        TimeZone::UTC
    })
}

/// Whom the account's connections trust.
fn authorities(place: &str, common: &CommonSection, loader: &mut Loader<'_>) -> Authorities {
    let Some(path) = &common.ca_file else {
        return Authorities::of_process();
    };
    let key = join(place, "ca_file");
    if path.as_os_str().is_empty() {
        loader.diagnostics.push(key, "must not be empty");
        return Authorities::of_process();
    }
    let authorities = Authorities::of_file(path.clone());
    loader.authorities.push((key, authorities.clone()));
    authorities
}

/// Builds the provider. Also returns the base URL that it uses.
fn connect(
    place: &str,
    own: Dict,
    entry: &ProviderEntry,
    http: http_client::Settings,
    (zone, restatement): (TimeZone, Duration),
    common: &CommonSection,
    loader: &mut Loader<'_>,
) -> (Option<Box<dyn Provider>>, Option<Url>) {
    let before = loader.diagnostics.len();
    let mut context = BuildContext {
        key_prefix: place.to_owned(),
        zone,
        restatement,
        tags: common.tags(),
        shown: common.shown_dimensions(),
        http,
        variable: &crate::secret::ambient_variable,
        diagnostics: &mut loader.diagnostics,
        uses: Uses::default(),
    };
    let provider = (entry.build)(own, &mut context);
    let Uses { secrets, mut urls } = context.uses;
    loader.secrets.extend(secrets);
    if provider.is_none() && loader.diagnostics.len() == before {
        // A provider that reports no error must not make its account disappear without one.
        loader
            .diagnostics
            .push(place, "cannot be used as configured");
    }
    (provider, urls.remove("base_url"))
}
