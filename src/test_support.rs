//! Shared by unit tests: a provider with scripted responses, and builders of charges, accounts and states.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    account::{Account, LabelSlot, Labels, Poll},
    charge::{Amount, Charge, Measure, Month, Period, SharedSink, Sink},
    counters::Counters,
    error::ProviderError,
    ledger::{self, LabelMapping, Ledger},
    provider::{
        Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider,
        registry::ProviderName,
        second_source::{Check, ClosedMonth, Comparison},
    },
    state::AccountState,
};

/// A charge of one amount that owns its texts.
#[derive(Debug, Clone)]
pub(crate) struct TestCharge {
    pub(crate) period: Period,
    pub(crate) dimensions: [&'static str; 6],
    pub(crate) measure: Measure,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// One amount in euros of one customer.
pub(crate) fn cost(period: Period, customer: &'static str, value: f64) -> TestCharge {
    TestCharge {
        period,
        dimensions: [customer, "", "", "", "", ""],
        measure: Measure::BilledCost,
        value,
        unit: "EUR",
    }
}

impl TestCharge {
    pub(crate) fn id(mut self, id: &'static str) -> Self {
        self.dimensions[1] = id;
        self
    }

    pub(crate) fn of(mut self, measure: Measure, unit: &'static str) -> Self {
        self.measure = measure;
        self.unit = unit;
        self
    }

    pub(crate) fn emit(&self, sink: &SharedSink) {
        let mut sink = sink.lock().unwrap();
        sink.rows(1);
        sink.charge(&Charge {
            period: self.period,
            dimensions: &self.dimensions,
            amounts: &[Amount {
                measure: self.measure,
                value: self.value,
                unit: self.unit,
            }],
        })
        .unwrap();
    }
}

/// The scripted response for a part.
pub(crate) type Response =
    Box<dyn Fn(&PollRequest) -> Result<Vec<TestCharge>, ProviderError> + Send + Sync>;

/// The scripted result of comparing a closed month with a second source.
pub(crate) type ScriptedCheck = fn() -> Result<Vec<Comparison>, ProviderError>;

/// What is scripted of a fetch beside its charges: what it says to the sink, and of each month. It is given the
/// deliveries that were accepted.
pub(crate) type Says =
    Box<dyn Fn(&PollRequest, &Deliveries, &mut dyn Sink) -> Fetched + Send + Sync>;

/// The scripted error of listing parts.
pub(crate) type Fail = fn() -> ProviderError;

/// A provider with scripted responses.
pub(crate) struct Scripted {
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) measures: Vec<(Measure, Granularity)>,
    pub(crate) month_fetch: MonthFetch,
    pub(crate) identity: Vec<usize>,
    pub(crate) parts: Mutex<Result<Vec<Part>, Fail>>,
    pub(crate) responses: Mutex<HashMap<String, Response>>,
    pub(crate) withheld: Mutex<Vec<Month>>,
    pub(crate) says: Mutex<Option<Says>>,
    pub(crate) requests: Mutex<Vec<(String, PollRequest)>>,
    pub(crate) checks: Mutex<Vec<(&'static str, ScriptedCheck)>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(measures: &[(Measure, Granularity)], month_fetch: MonthFetch) -> Arc<Self> {
        Self::with_rows_known_by(&[], measures, month_fetch)
    }

    /// A provider that may leave out rows of a closed month, and identifies rows by these dimensions.
    pub(crate) fn with_rows_known_by(
        identity: &[usize],
        measures: &[(Measure, Granularity)],
        month_fetch: MonthFetch,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity: identity.to_vec(),
            dimensions: vec![
                Dimension::new("customer").id(1),
                Dimension::new("customer_id"),
                Dimension::new("project").id(3),
                Dimension::new("project_id"),
                Dimension::new("product").description(5),
                Dimension::new("description"),
            ],
            measures: measures.to_vec(),
            month_fetch,
            parts: Mutex::new(Ok(vec![Part::whole_account()])),
            responses: Mutex::default(),
            withheld: Mutex::default(),
            says: Mutex::default(),
            requests: Mutex::default(),
            checks: Mutex::default(),
        })
    }

    /// Sets what fetches say beside their charges. Charges of months that they say are unchanged are left out.
    pub(crate) fn says(
        &self,
        says: impl Fn(&PollRequest, &Deliveries, &mut dyn Sink) -> Fetched + Send + Sync + 'static,
    ) {
        *self.says.lock().unwrap() = Some(Box::new(says));
    }

    /// Sets the charges of a part, for every month.
    pub(crate) fn returns(&self, part: &str, charges: Vec<TestCharge>) {
        self.responds(part, move |_| Ok(charges.clone()));
    }

    pub(crate) fn responds(
        &self,
        part: &str,
        response: impl Fn(&PollRequest) -> Result<Vec<TestCharge>, ProviderError>
        + Send
        + Sync
        + 'static,
    ) {
        self.responses
            .lock()
            .unwrap()
            .insert(part.to_owned(), Box::new(response));
    }

    pub(crate) fn lists(&self, parts: &[&str]) {
        *self.parts.lock().unwrap() = Ok(parts.iter().map(|id| Part::new(*id)).collect());
    }
}

impl Provider for Scripted {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        self.measures.clone()
    }

    fn month_fetch(&self) -> MonthFetch {
        self.month_fetch
    }

    fn identity(&self) -> &[usize] {
        &self.identity
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        let parts = self
            .parts
            .lock()
            .unwrap()
            .as_ref()
            .cloned()
            .map_err(|error| error());
        Box::pin(async move { parts })
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        poll: &'a PollRequest,
        known: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        self.requests
            .lock()
            .unwrap()
            .push((part.id.clone(), poll.clone()));
        let response = self
            .responses
            .lock()
            .unwrap()
            .get(&part.id)
            .map_or_else(|| Ok(Vec::new()), |response| response(poll));
        let withheld = self.withheld.lock().unwrap().clone();
        let says = self.says.lock().unwrap();
        let fetched = says.as_ref().map_or_else(Fetched::replaced, |says| {
            says(poll, known, &mut *sink.lock().unwrap())
        });
        Box::pin(async move {
            for charge in response? {
                let asked = charge.period.month().is_none_or(|month| {
                    poll.months.contains(&month) && !fetched.is_unchanged(month)
                });
                if asked {
                    charge.emit(sink);
                }
            }
            for month in withheld {
                sink.lock().unwrap().withhold(month);
            }
            Ok(fetched)
        })
    }

    fn checks<'a>(&'a self, _: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let checks = self.checks.lock().unwrap();
        checks
            .iter()
            .map(|&(name, check)| Check::new(name, move || async move { check() }))
            .collect()
    }
}

/// An account in a time zone over a provider, with no extra labels.
pub(crate) fn account(provider: Arc<dyn Provider>, zone: &str) -> Account {
    let slot = |label: &str, dimension| LabelSlot {
        label: label.to_owned(),
        dimension: Some(dimension),
        aliases: BTreeMap::new(),
    };
    Account {
        name: "main".to_owned(),
        provider_name: ProviderName::Otc,
        provider_label: "otc".to_owned(),
        provider,
        zone: TimeZone::get(zone).unwrap(),
        poll: Poll {
            interval: Duration::from_hours(1),
            timeout: Duration::from_mins(2),
            stale_after: Duration::from_hours(26),
            max_series: 20_000,
            restatement: Duration::from_hours(240),
            plausibility: true,
            requests_per_second: 2.0,
            concurrency: 2,
        },
        day_closes_after: Duration::from_hours(6),
        credential_expires: None,
        labels: Labels {
            slots: vec![slot("customer", 0), slot("project", 2), slot("product", 4)],
        },
        written: figment::value::Dict::new(),
        counters: Arc::new(Counters::default()),
    }
}

/// The totals of charges in the ledger of an account.
pub(crate) fn totals_of(account: &Account, charges: &[TestCharge]) -> ledger::PartTotals {
    let shape = LabelMapping::of(account);
    let ledger = Arc::new(Mutex::new(Ledger::new(Arc::new(shape), 1000)));
    let sink: SharedSink = Arc::clone(&ledger) as SharedSink;
    for charge in charges {
        charge.emit(&sink);
    }
    drop(sink);
    let ledger = Arc::into_inner(ledger).unwrap();
    ledger.into_inner().unwrap().close(Fetched::replaced())
}

/// The state of an account whose only part was fetched at a time, for the current and the previous month.
pub(crate) fn state_of(
    account: &Account,
    asked: Timestamp,
    charges: &[TestCharge],
) -> AccountState {
    let today = asked.to_zoned(account.zone.clone()).date();
    let current = Month::of(today);
    let mut state = AccountState::new(LabelMapping::of(account).width());
    state.set_listed_parts(&[Part::whole_account()]);
    let poll = PollRequest {
        months: vec![current.previous(), current],
        current,
        today,
        now: asked,
    };
    let _ = state.accept("account", totals_of(account, charges), &poll, &account.zone);
    state.status.last_attempt = Some(asked);
    state
}

/// An instant by its text.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A day by its text.
pub(crate) fn day(text: &str) -> Period {
    Period::Day(text.parse().unwrap())
}

/// A month by its text.
pub(crate) fn month(text: &str) -> Period {
    Period::Month(text.parse().unwrap())
}
