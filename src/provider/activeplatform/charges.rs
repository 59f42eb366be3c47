//! From a row of expenses to a `Charge`, and the check of a whole response.

use super::responses::{AnalyticsResponse, ExpenseResponse};
use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
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
        let amount = |measure| Amount {
            measure,
            value: total,
            unit: &self.currency,
        };
        let amounts = [amount(Measure::BilledCost), amount(Measure::PrepaidCost)];
        let prepaid = self.part.attribute("payment_model") == "prepay";
        sink.rows(1);
        sink.charge(&Charge {
            period: Period::Month(month),
            dimensions: &dimensions,
            amounts: if prepaid { &amounts } else { &amounts[..1] },
        })?;
        Ok(())
    }
}

impl Expenses {
    /// Checks the rows against the rest of the response. A month in `billing_periods` is reported, with or without
    /// rows. Any other month is withheld: it is unknown, not 0. A row of such a month makes the response malformed, as
    /// the other rows cannot be trusted either.
    pub(super) fn finish(
        &self,
        response: &AnalyticsResponse<'_>,
        place: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), ProviderError> {
        if let Some(Text(id)) = &response.subscription.id
            && *id != self.part.id
        {
            return Err(ProviderError::malformed(format!(
                "{place}: field id: the response is for another subscription"
            )));
        }
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
        for month in &self.months {
            if named.contains(month) {
                sink.report(*month);
            } else {
                sink.withhold(*month);
            }
        }
        Ok(())
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
