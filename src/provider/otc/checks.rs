//! Open Telekom Cloud: second sources of a closed month. Both endpoints report the same cost, with and without tags, by
//! month and by day.

use std::sync::Arc;

use crate::{
    charge::Measure,
    error::ProviderError,
    provider::second_source::{Check, ClosedMonth, Comparison, MonthTotals, Totals},
};

use super::{Otc, Requested, charges::RowContext, config::Endpoint};

impl Otc {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let requested = Requested::Month(month.month());
        let known = month.totals;
        let mut checks = vec![Check::new(
            "daily rows against hourly rows",
            move || async move {
                let (endpoint, is_daily) = match self.context.endpoint {
                    Endpoint::Daily => (Endpoint::Hourly, true),
                    Endpoint::Hourly => (Endpoint::Daily, false),
                };
                let context = RowContext {
                    endpoint,
                    ..(*self.context).clone()
                };
                let other = self.read(requested, context).await?.total()?;
                Ok(in_order(is_daily, known, &other))
            },
        )];
        // The API filters by tags only where it shows them.
        if !self.context.filters.has_tag() {
            checks.push(Check::new(
                "rows with tags against rows without",
                move || async move {
                    let has_tags = self.context.show_tag;
                    let context = RowContext {
                        show_tag: !has_tags,
                        tags: Vec::new(),
                        ..(*self.context).clone()
                    };
                    let other = self.read(requested, context).await?.total()?;
                    Ok(in_order(has_tags, known, &other))
                },
            ));
        }
        checks.push(Check::new(
            "one day of the month against a request for that day",
            move || async move {
                let context = || (*self.context).clone();
                let days = self.read(requested, context()).await?.days()?;
                let cost = |totals: &Totals| totals.iter().map(|(_, total)| total).sum::<f64>();
                let most = days
                    .into_iter()
                    .max_by(|(_, one), (_, other)| cost(one).total_cmp(&cost(other)));
                let Some((Some(day), first)) = most else {
                    return Ok(Vec::new());
                };
                let second = self.read(Requested::Day(day), context()).await?;
                Ok(first.compare(&second.total()?))
            },
        ));
        checks
    }

    async fn read(
        &self,
        requested: Requested,
        context: RowContext,
    ) -> Result<MonthTotals, ProviderError> {
        let totals = MonthTotals::new(Measure::BilledCost, requested.month());
        self.rows(requested, &Arc::new(context), &totals.sink())
            .await?;
        Ok(totals)
    }
}

/// Compares what is known with another source, in the order of the check's name.
fn in_order(known_is_first: bool, known: &Totals, other: &Totals) -> Vec<Comparison> {
    if known_is_first {
        known.compare(other)
    } else {
        other.compare(known)
    }
}
