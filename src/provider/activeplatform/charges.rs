//! From a row of expenses to a `Charge`, and the check of a whole response.

use super::responses::{AnalyticsResponse, ExpenseResponse};
use crate::{
    charge::{Amount, Charge, ChargeError, Measure, Month, Period, Sink},
    error::ProviderError,
    http_client::Fold,
    json::{
        RowError,
        scalars::{Number, Raw, Text},
    },
    provider::Part,
};

/// Turns the expenses of one response into charges, and checks them against what was requested.
pub(super) struct Expenses {
    pub(super) part: Part,
    pub(super) months: Vec<Month>,
    pub(super) currency: String,
    pub(super) tags: Vec<String>,
    pub(super) rows: u64,
    /// The first row of each month.
    pub(super) first_rows: Vec<(Month, u64)>,
}

impl Fold for Expenses {
    type Row<'a> = ExpenseResponse<'a>;

    /// One expense. A month that was not requested makes it malformed.
    fn fold(&mut self, row: ExpenseResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let Number(total) = row
            .total
            .ok_or_else(|| RowError::field("total", "is missing"))?;
        let period = row.billing_period.as_ref().or(row.period.as_ref());
        let month: Month = Text::or_empty(period)
            .parse()
            .map_err(|_| RowError::field("billing_period", "must be a month as YYYY-MM"))?;
        if !self.months.contains(&month) {
            return Err(RowError::field(
                "billing_period",
                format!("{month} was not requested"),
            ));
        }
        let tags = tags(row.tags, &self.tags)?;
        self.rows += 1;
        if self.first_rows.iter().all(|(seen, _)| *seen != month) {
            self.first_rows.push((month, self.rows));
        }
        let mut dimensions = vec![
            self.part.attribute("account_id"),
            self.part.attribute("name"),
            Text::or_empty(row.category.as_ref()),
            &self.part.id,
            Text::or_empty(row.resource_group.as_ref()),
            Text::or_empty(row.resource_name.as_ref()),
        ];
        dimensions.extend(self.tags.iter().map(|wanted| {
            tags.iter()
                .map(|Text(tag)| split_tag(tag))
                .find(|(key, _)| key == wanted)
                .map_or("", |(_, value)| value)
        }));
        sink.rows(1);
        charge(
            &self.part,
            Period::Month(month),
            &dimensions,
            (total, &self.currency),
            sink,
        )?;
        Ok(())
    }
}

/// Charges an amount of a subscription. What was paid in advance is no rate that a forecast may continue.
pub(super) fn charge(
    part: &Part,
    period: Period,
    dimensions: &[&str],
    (value, currency): (f64, &str),
    sink: &mut dyn Sink,
) -> Result<(), ChargeError> {
    let amount = |measure| Amount {
        measure,
        value,
        unit: currency,
    };
    let amounts = [amount(Measure::BilledCost), amount(Measure::PrepaidCost)];
    let is_prepaid = part.attribute("payment_model") == "prepay";
    sink.charge(&Charge {
        period,
        dimensions,
        amounts: if is_prepaid { &amounts } else { &amounts[..1] },
    })
}

/// Checks that a response is for the requested subscription, if it names one.
pub(super) fn check_subscription(
    id: Option<&Text<'_>>,
    part: &Part,
    place: &str,
) -> Result<(), ProviderError> {
    match id {
        Some(Text(id)) if *id != part.id => Err(ProviderError::malformed(format!(
            "{place}: field id: the response is for another subscription"
        ))),
        _ => Ok(()),
    }
}

impl Expenses {
    /// Checks the rows against the rest of the response, and returns the months in `billing_periods`: they are reported,
    /// with or without rows. Any other month is unknown, not 0. A row of such a month makes the response malformed, as
    /// the other rows cannot be trusted either.
    pub(super) fn finish(
        &self,
        response: &AnalyticsResponse<'_>,
        place: &str,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Month>, ProviderError> {
        check_subscription(response.subscription.id.as_ref(), &self.part, place)?;
        let named = response
            .billing_periods
            .iter()
            .map(|Text(month)| month.parse())
            .collect::<Result<Vec<Month>, _>>()
            .map_err(|error| {
                ProviderError::malformed(format!("{place}: field billing_periods")).because(error)
            })?;
        for (month, row) in &self.first_rows {
            if !named.contains(month) {
                let problem = format!("{month} is not among billing_periods");
                return Err(RowError::field("billing_period", problem).at(place, *row));
            }
        }
        let reported: Vec<Month> = self
            .months
            .iter()
            .copied()
            .filter(|month| named.contains(month))
            .collect();
        for month in &reported {
            sink.report(*month);
        }
        Ok(reported)
    }
}

/// A row's tags, parsed only if one is configured.
fn tags<'a>(raw: Option<Raw<'a>>, configured: &[String]) -> Result<Vec<Text<'a>>, RowError> {
    match raw {
        Some(Raw(raw)) if !configured.is_empty() => serde_json::from_str::<Vec<Text<'a>>>(raw)
            .map_err(|_| RowError::field("tags", "must be a list of texts")),
        _ => Ok(Vec::new()),
    }
}

/// Key and value of `key: value`. A key may contain a colon; a tag without a value is all key.
pub(super) fn split_tag(tag: &str) -> (&str, &str) {
    let (key, value) = tag
        .split_once(": ")
        .unwrap_or((tag.trim_end().trim_end_matches(':'), ""));
    (key.trim(), value.trim())
}
