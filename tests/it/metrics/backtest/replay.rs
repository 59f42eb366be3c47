//! Past months replayed: what a provider would have reported on each day.

use super::*;

/// One day's charges of one label set.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) day: Date,
    pub(super) dimensions: Vec<String>,
    pub(super) amounts: Vec<(Measure, f64, String)>,
}

/// A provider that says again what another one said, or what a table holds: the days that are over.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) dimensions: Vec<Dimension>,
    pub(super) rows: Vec<Row>,
}

impl Provider for Replay {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![(Measure::BilledCost, Granularity::Day)]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Each
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(vec![Part::whole_account()]) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        ask: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        let mut sink = sink.lock().unwrap();
        let reported = |row: &&Row| row.day < ask.today && ask.months.contains(&Month::of(row.day));
        for row in self.rows.iter().filter(reported) {
            let dimensions: Vec<&str> = row.dimensions.iter().map(String::as_str).collect();
            let amounts: Vec<Amount<'_>> = row
                .amounts
                .iter()
                .map(|(measure, value, unit)| Amount {
                    measure: *measure,
                    value: *value,
                    unit,
                })
                .collect();
            sink.rows(1);
            let charge = Charge {
                period: Period::Day(row.day),
                dimensions: &dimensions,
                amounts: &amounts,
            };
            sink.charge(&charge).unwrap();
        }
        Box::pin(async { Ok(Fetched::replaced()) })
    }
}

/// Adds the money of each customer and day: forecasts add, so that products tell nothing more.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// The position of the customer among the dimensions.
    pub(super) customer: usize,
    /// The customer of each label set.
    pub(super) label_sets: Vec<String>,
    pub(super) sums: BTreeMap<(Date, String, Measure, String), f64>,
}

impl Recorder {
    pub(super) fn rows(&self, dimensions: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((day, customer, measure, currency), value) in &self.sums {
            let mut texts = vec![String::new(); dimensions];
            texts[self.customer].clone_from(customer);
            rows.push(Row {
                day: *day,
                dimensions: texts,
                amounts: vec![(*measure, *value, currency.clone())],
            });
        }
        rows
    }
}

impl Sink for Recorder {
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError> {
        self.label_sets.push(dimensions[self.customer].to_owned());
        Ok(LabelSet(u32::try_from(self.label_sets.len() - 1).unwrap()))
    }

    fn charge_to(
        &mut self,
        LabelSet(labels): LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError> {
        let Period::Day(day) = period else {
            panic!("no day: {period:?}");
        };
        for amount in amounts.iter().filter(|amount| amount.measure.is_cost()) {
            let customer = self.label_sets[labels as usize].clone();
            let key = (day, customer, amount.measure, amount.unit.to_owned());
            *self.sums.entry(key).or_default() += amount.value;
        }
        Ok(())
    }

    fn rows(&mut self, _: u64) {}

    fn withhold(&mut self, month: Month) {
        panic!("{month} is withheld");
    }

    fn report(&mut self, _: Month) {}

    fn month_rows(&mut self, _: Month, _: u64) {}

    fn missing(&mut self, _: Month, _: Measure, _: u64) {}

    fn withhold_measure(&mut self, _: Month, _: Measure) {}

    fn source(&mut self, _: Month, _: cloudspend_exporter::charge::MonthSource) {}

    fn provisional(&mut self, _: Month) {}

    fn remark(&mut self, _: &str) {}

    fn month_remark(&mut self, _: Month, _: &str) {}
}

/// A simulated world and the accounts over it.
pub(super) struct World {
    pub(super) demo: Demo,
    accounts: Vec<Account>,
    /// Secrets are read again at every login.
    _folder: Folder,
}

impl World {
    pub(super) async fn start(seed: u64, start: &str, manual_clock: &ManualClock) -> Self {
        let options = Options {
            seed,
            start: Some(start.parse().unwrap()),
            ..Options::default()
        };
        let demo = Demo::start(manual_clock.clock(), options).await.unwrap();
        let folder = Folder::with(&Demo::secrets());
        let file = folder.path().join("cloudspend.yml");
        std::fs::write(&file, config_yaml(&demo, &folder)).unwrap();
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        let config = config::load(&sources, &manual_clock.clock(), &mut |_| Arc::default());
        Self {
            demo,
            accounts: config.unwrap_or_else(|report| panic!("{report}")).accounts,
            _folder: folder,
        }
    }

    pub(super) fn account(&self, name: &str) -> &Account {
        let mut named = self.accounts.iter().filter(|account| account.name == name);
        named.next().unwrap()
    }
}
