//! DHI MIKE Cloud: usage by day against usage of the whole period. Both queries have the same edges, a second outside of
//! the month: the API leaves out rows that touch an edge.

use jiff::ToSpan;

use crate::{
    charge::{Measure, Month},
    error::ProviderError,
    provider::second_source::{Check, ClosedMonth, MonthTotals, Totals},
};

use super::{Aggregation, METRIC_TYPE, Mike, Query, charges::Collector, midnight};

impl Mike {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let filter = self.filters.iter().find(|(field, _)| *field == METRIC_TYPE);
        if filter.is_some_and(|(_, metric_type)| self.is_level(metric_type)) {
            return Vec::new();
        }
        let filter = filter.map(|(_, metric_type)| metric_type.as_str());
        let at = month.month();
        vec![Check::new(
            "usage by day against usage of the whole period",
            move || async move {
                let first = self.total(at, filter, Aggregation::Day).await?;
                let second = self.total(at, filter, Aggregation::All).await?;
                Ok(first.compare(&second))
            },
        )]
    }

    async fn total(
        &self,
        month: Month,
        metric_type: Option<&str>,
        aggregation: Aggregation,
    ) -> Result<Totals, ProviderError> {
        let query = Query {
            from: midnight(month.first_day()).saturating_sub(1.second()),
            to: midnight(month.next().first_day()).saturating_add(1.second()),
            metric_type,
            aggregation,
        };
        let collector = Collector::Totals {
            totals: Totals::default(),
            levels: self.levels.clone(),
        };
        let ignored = MonthTotals::new(Measure::ConsumedQuantity, month).sink();
        match self.read_log(query, &ignored, collector).await?.collector {
            Collector::Totals { totals, .. } => Ok(totals),
            Collector::Flows { .. } | Collector::Levels(_) => Ok(Totals::default()),
        }
    }
}
