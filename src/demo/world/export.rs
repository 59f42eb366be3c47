//! What organisations spend at AWS or Azure, as the rows of an export in FOCUS 1.2, one row a day.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{
    Curve, Random, Scenario, days,
    export_names::{Catalogue, Cloud},
    export_row::{ExportRow, Kind},
    key,
};
use crate::charge::{Month, start_of_day};

/// The hours of UTC at which exports of AWS are delivered.
const DELIVERIES: [i8; 3] = [2, 10, 18];
/// How long after usage a delivery has it.
const LAG: SignedDuration = SignedDuration::from_hours(1);
/// How long after its end a month is still delivered.
const RESTATED: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long after its end a month is invoiced. That is before its last day is taken as closed.
const INVOICED: SignedDuration = SignedDuration::from_hours(24);
/// What is paid of the list price where the commitment covers the usage, and which share of it may be covered.
const COVERED: (f64, f64) = (0.7, 0.6);
/// The rate of tax. Azure's exports have no taxes.
const TAX: f64 = 0.19;

/// All organisations of a cloud.
#[derive(Debug)]
pub(in crate::demo) struct Export {
    pub(in crate::demo) catalogue: &'static Catalogue,
    random: Random,
    pub(in crate::demo) begins: Date,
    pub(in crate::demo) sub_accounts: Vec<SubAccount>,
    series: Vec<Series>,
}

/// One account of an organisation.
#[derive(Debug)]
pub(in crate::demo) struct SubAccount {
    /// The position of its organisation.
    pub(in crate::demo) payer: usize,
    pub(in crate::demo) id: String,
    /// Not sent where it is empty.
    pub(in crate::demo) name: &'static str,
}

/// One resource of a sub account.
#[derive(Debug)]
struct Series {
    sub_account: usize,
    service: usize,
    resource: String,
    /// What it would cost at list prices.
    curve: Curve,
    /// What is contracted of the list price.
    rate: f64,
    /// The price of a unit.
    price: f64,
}

impl Export {
    pub(super) fn new(scenario: Scenario, catalogue: &'static Catalogue) -> Self {
        let random = scenario.random;
        let names = catalogue.sub_accounts.iter().enumerate();
        let sub_accounts: Vec<_> = names
            .map(|(index, (payer, name))| SubAccount {
                payer: *payer,
                id: catalogue.sub_account_id(random, catalogue.key + key(index)),
                name,
            })
            .collect();
        let mut series = Vec::new();
        for (position, sub_account) in sub_accounts.iter().enumerate() {
            for nth in 0..catalogue.services_each {
                let number = position * catalogue.services_each + nth;
                let id = catalogue.key + 100 + key(number);
                // Each has the first service, which is what the commitment covers.
                let service = if nth == 0 {
                    0
                } else {
                    1 + (position * 2 + nth) % (catalogue.services.len() - 1)
                };
                let level = 4.0 + 70.0 * random.fraction(id, 1).powi(2);
                series.push(Series {
                    sub_account: position,
                    service,
                    resource: catalogue.resource(service, &sub_account.id, random.number(id, 2)),
                    curve: scenario.curve(id, level),
                    rate: if number.is_multiple_of(3) { 0.92 } else { 1.0 },
                    price: catalogue.services[service].price,
                });
            }
        }
        Self {
            catalogue,
            random,
            begins: scenario.begins(),
            sub_accounts,
            series,
        }
    }

    /// The months that AWS delivered by a time, oldest first.
    pub(in crate::demo) fn months(&self, at: Timestamp) -> Vec<Month> {
        let mut month = Month::of(self.begins);
        let mut months = Vec::new();
        while self.delivered(month, at).is_some() {
            months.push(month);
            month = month.next();
        }
        months
    }

    /// When AWS delivered a month last, at a time.
    pub(in crate::demo) fn delivered(&self, month: Month, at: Timestamp) -> Option<Timestamp> {
        if month < Month::of(self.begins) {
            return None;
        }
        let newest = at.min(utc(month.next().first_day()) + RESTATED);
        let day = newest.to_zoned(TimeZone::UTC).date();
        let mut times = [day.saturating_sub(1.day()), day]
            .into_iter()
            .flat_map(|day| {
                DELIVERIES.map(|hour| utc(day) + SignedDuration::from_hours(hour.into()))
            });
        times.rfind(|time| *time <= newest && *time >= utc(month.first_day()))
    }

    /// The rows of an organisation and a month as they were delivered at a time.
    pub(in crate::demo) fn rows(
        &self,
        payer: usize,
        month: Month,
        delivered: Timestamp,
    ) -> Vec<ExportRow> {
        let mut rows = Vec::new();
        for day in days(month.first_day().max(self.begins), month.last_day()) {
            let known = (delivered - LAG).duration_since(utc(day)).as_secs_f64() / 86_400.0;
            if known > 0.0 {
                self.day(payer, day, known.min(1.0), &mut rows);
            }
        }
        self.beside_usage(payer, month, delivered, &mut rows);
        if self.catalogue.cloud == Cloud::Aws {
            let taxed: f64 = rows.iter().map(|row| row.billed).sum();
            let mut tax = ExportRow::whole(Kind::Tax, payer, taxed * TAX);
            (tax.from, tax.to) = (utc(month.first_day()), utc(month.next().first_day()));
            rows.push(tax);
        }
        for row in &mut rows {
            row.round();
            row.invoice = self.invoice(payer, row.kind, month, delivered);
        }
        rows
    }

    /// The invoice that rows of a kind are on, if it is written. What other vendors sell has one of its own.
    fn invoice(
        &self,
        payer: usize,
        kind: Kind,
        month: Month,
        delivered: Timestamp,
    ) -> Option<String> {
        let number = 2 * payer + usize::from(kind == Kind::Marketplace);
        let day = i64::from(month.year()) * 12 + i64::from(month.month());
        let number = self
            .random
            .below(self.catalogue.key + 950 + key(number), day, 900_000_000);
        (delivered >= utc(month.next().first_day()) + INVOICED)
            .then(|| format!("{}", 1_100_000_000 + number))
    }

    /// What is used on a day, as far as it is known, and what the commitment does for it.
    fn day(&self, payer: usize, day: Date, known: f64, rows: &mut Vec<ExportRow>) {
        let mut committed = if payer == 0 {
            self.catalogue.committed * known
        } else {
            0.0
        };
        for series in &self.series {
            if self.sub_accounts[series.sub_account].payer != payer {
                continue;
            }
            let mut list = series.curve.on(day) * known;
            if series.service == 0 && committed > 0.0 {
                let (price, share) = COVERED;
                let used = committed.min(list * share * price);
                committed -= used;
                let covered = used / price;
                list -= covered;
                let mut row = series.row(Kind::Covered, payer, day, covered);
                (row.billed, row.effective) = (0.0, used);
                rows.push(row);
            }
            rows.push(series.row(Kind::Usage, payer, day, list));
        }
        if committed > 0.0 {
            let mut row = ExportRow::whole(Kind::Unused, payer, 0.0).on(day);
            (row.sub_account, row.service) = (Some(0), Some(0));
            row.effective = committed;
            rows.push(row);
        }
    }

    /// Azure reports neither list nor contracted costs of what a reservation covers, of its purchase and of the
    /// marketplace, but zeros.
    fn leave_out_prices(rows: &mut [ExportRow]) {
        for row in rows {
            if matches!(
                row.kind,
                Kind::Covered | Kind::Commitment | Kind::Marketplace
            ) {
                (row.list, row.contracted) = (0.0, Some(0.0));
            }
        }
    }

    /// Purchases, credits, and what is said about a month that is over.
    fn beside_usage(
        &self,
        payer: usize,
        month: Month,
        delivered: Timestamp,
        rows: &mut Vec<ExportRow>,
    ) {
        let first = month.first_day();
        let is_delivered = |day: Date| delivered >= utc(day) + SignedDuration::from_hours(10);
        let nth = |day: i64| first.saturating_add((day - 1).days());
        if payer == 0 {
            let amount = self.catalogue.committed * f64::from(month.last_day().day());
            let mut row = ExportRow::whole(Kind::Commitment, payer, amount);
            (row.from, row.to) = (utc(first), utc(month.next().first_day()));
            (row.sub_account, row.service) = (Some(0), Some(0));
            row.effective = 0.0;
            rows.push(row);
            if is_delivered(nth(3)) {
                let mut row = ExportRow::whole(Kind::Marketplace, payer, 49.0).on(nth(3));
                row.sub_account = Some(2);
                row.contracted = None;
                rows.push(row);
            }
        }
        if self.catalogue.cloud == Cloud::Azure {
            Self::leave_out_prices(rows);
            if is_delivered(nth(4)) {
                rows.push(ExportRow::whole(Kind::Rounding, payer, -0.004).on(nth(4)));
            }
            return;
        }
        if is_delivered(nth(12)) {
            let amount = 20.0
                + 30.0
                    * self.random.fraction(
                        self.catalogue.key + 900 + key(payer),
                        i64::from(month.month()),
                    );
            rows.push(ExportRow::whole(Kind::Credit, payer, -amount).on(nth(12)));
        }
        let own = || {
            self.series
                .iter()
                .filter(|series| self.sub_accounts[series.sub_account].payer == payer)
        };
        // The month before is invoiced by now: what was charged too much comes back in this one.
        let before = month.previous().last_day().saturating_sub(2.days());
        if before >= self.begins && is_delivered(nth(5)) {
            for series in own().skip(1).take(1) {
                let amount = -0.5 * series.curve.on(before);
                rows.push(series.row(Kind::Correction, payer, before, amount));
            }
        }
        // A slow meter: four days after the month's end its last day grows.
        if is_delivered(month.next().first_day().saturating_add(3.days())) {
            for series in own().skip(2).take(1) {
                let amount = 0.4 * series.curve.on(month.last_day());
                rows.push(series.row(Kind::Usage, payer, month.last_day(), amount));
            }
        }
    }
}

impl Catalogue {
    fn sub_account_id(&self, random: Random, key: u64) -> String {
        match self.cloud {
            Cloud::Aws => format!(
                "{:012}",
                100_000_000_000 + random.below(key, 0, 800_000_000_000)
            ),
            Cloud::Azure => format!("/subscriptions/{}", random.uuid(key, 0)),
        }
    }

    fn resource(&self, service: usize, sub_account: &str, number: u64) -> String {
        let code = self.services[service].code;
        match self.cloud {
            Cloud::Aws => {
                format!("arn:aws:{code}:eu-central-1:{sub_account}:resource/{number:016x}")
            }
            Cloud::Azure => format!(
                "{sub_account}/resourceGroups/rg-{:02}/providers/{code}/{number:016x}",
                number % 4
            ),
        }
    }
}

impl Series {
    fn row(&self, kind: Kind, payer: usize, day: Date, list: f64) -> ExportRow {
        ExportRow {
            sub_account: Some(self.sub_account),
            service: Some(self.service),
            resource: self.resource.clone(),
            list,
            quantity: Some(list / self.price),
            ..ExportRow::whole(kind, payer, list * self.rate).on(day)
        }
    }
}

/// When a day of UTC begins.
pub(in crate::demo) fn utc(day: Date) -> Timestamp {
    start_of_day(day, &TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    fn export() -> Export {
        World::new(7, Date::constant(2025, 6, 18)).export
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn may() -> Month {
        Month::of(Date::constant(2025, 5, 1))
    }

    #[test]
    fn months_are_delivered_three_times_a_day_for_two_weeks() {
        let export = export();
        let (may, june) = (may(), may().next());
        for (month, time, want) in [
            (june, "2025-06-18T10:30:00Z", Some("2025-06-18T10:00:00Z")),
            (june, "2025-06-18T01:59:59Z", Some("2025-06-17T18:00:00Z")),
            (may, "2025-06-14T23:00:00Z", Some("2025-06-14T18:00:00Z")),
            (may, "2025-07-18T10:30:00Z", Some("2025-06-14T18:00:00Z")),
            (june, "2025-06-01T01:59:59Z", None),
            (june, "2025-06-01T02:00:00Z", Some("2025-06-01T02:00:00Z")),
        ] {
            let got = export.delivered(month, at(time));
            assert_eq!(got, want.map(at), "{month} at {time}");
        }
        let months = export.months(at("2025-06-18T10:30:00Z"));
        assert_eq!((months.len(), months[3]), (4, june));
    }

    #[test]
    fn commitment_is_spent_to_the_last_cent() {
        let export = export();
        let rows = export.rows(0, may(), at("2025-06-14T18:00:00Z"));
        let of = |kind: Kind| rows.iter().filter(move |row| row.kind == kind);
        let bought: f64 = of(Kind::Commitment).map(|row| row.billed).sum();
        let used: f64 = of(Kind::Covered).map(|row| row.effective).sum();
        let unused: f64 = of(Kind::Unused).map(|row| row.effective).sum();
        assert!(used > 0.0 && unused > 0.0, "{used} used, {unused} unused");
        assert!(
            (bought - used - unused).abs() < 1e-6,
            "{bought} is not {used} and {unused}"
        );
        for kind in [Kind::Covered, Kind::Unused] {
            assert!(of(kind).all(|row| row.billed == 0.0));
        }
    }

    #[test]
    fn closed_month_is_on_two_invoices() {
        let export = export();
        let invoices = |payer, time: &str| {
            let rows = export.rows(payer, may(), at(time));
            let invoices = rows.into_iter().map(|row| row.invoice);
            invoices.collect::<std::collections::BTreeSet<_>>()
        };
        let none = std::collections::BTreeSet::from([None]);
        assert_eq!(invoices(0, "2025-06-01T18:00:00Z"), none);
        let written = invoices(0, "2025-06-02T02:00:00Z");
        assert!(
            written.len() == 2 && !written.contains(&None),
            "{written:?}"
        );
        let other = invoices(1, "2025-06-02T02:00:00Z");
        assert!(other.len() == 1 && other.is_disjoint(&written), "{other:?}");
    }

    #[test]
    fn closed_month_grows_and_is_corrected_in_the_next() {
        let export = export();
        let billed = |month, time: &str| {
            let rows = export.rows(0, month, at(time));
            rows.iter().map(|row| row.billed).sum::<f64>()
        };
        assert!(billed(may(), "2025-06-04T02:00:00Z") < billed(may(), "2025-06-04T10:00:00Z"));
        let rows = export.rows(0, may().next(), at("2025-06-05T10:00:00Z"));
        let corrected: Vec<_> = rows
            .iter()
            .filter(|row| row.kind == Kind::Correction)
            .collect();
        assert!(corrected.len() == 1 && corrected[0].billed < 0.0);
        assert_eq!(corrected[0].from, at("2025-05-29T00:00:00Z"));
    }
}
