//! enube Rocket: second sources of a closed month. The other views, the totals of `indicators`, all catalogs at once and
//! what the next month reports as `last` are the same money.

use std::sync::PoisonError;

use crate::{
    charge::{Measure, Month},
    error::{ProviderError, Reason},
    json::scalars::Number,
    provider::{
        Part,
        second_source::{Check, ClosedMonth, MonthTotals, Totals},
    },
};

use super::{
    Enube,
    charges::{MonthScope, RowContext, decode},
    config::Detail,
    responses::IndicatorsResponse,
};

impl Enube {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let (at, known) = (month.month(), month.totals);
        let own = self.context.detail;
        let alone = MonthScope {
            month: at,
            last: None,
            current: false,
        };
        let mut checks = vec![Check::new("rows against indicators", move || async move {
            Ok(known.compare(&self.indicators(at).await?))
        })];
        if own != Detail::Resellers {
            checks.push(Check::new(
                "customers against subscriptions",
                move || async move {
                    let other = match own {
                        Detail::Subscriptions => (Detail::Customers, vec![Part::whole_account()]),
                        _ => (Detail::Subscriptions, self.customers(month.poll).await?),
                    };
                    let (view, parts) = other;
                    let catalogs = self.each_catalog();
                    let read = self.total(at, alone, &parts, view, &catalogs).await?;
                    let other = read.totals;
                    Ok(match own {
                        Detail::Subscriptions => other.compare(known),
                        _ => known.compare(&other),
                    })
                },
            ));
        }
        if self.catalogs.len() > 1 {
            checks.push(Check::new(
                "catalogs apart against catalogs together",
                move || async move {
                    let together = [self.catalogs.as_slice()];
                    let read = self.total(at, alone, month.parts, own, &together).await?;
                    Ok(known.compare(&read.totals))
                },
            ));
        }
        checks.push(Check::new(
            "actual of the month against last of the next",
            move || async move {
                let next = MonthScope {
                    month: at.next(),
                    last: Some(at),
                    current: false,
                };
                let catalogs = self.each_catalog();
                let read = self.total(at, next, month.parts, own, &catalogs).await?;
                if read.rows == 0 {
                    let message = format!("{} has no rows yet", at.next());
                    return Err(ProviderError::new(Reason::NotFound, message));
                }
                Ok(known.compare(&read.totals))
            },
        ));
        checks
    }

    /// What these parts were charged in a month, in the rows of a view.
    async fn total(
        &self,
        month: Month,
        scope: MonthScope,
        parts: &[Part],
        detail: Detail,
        catalogs: &[&[String]],
    ) -> Result<Read, ProviderError> {
        let totals = MonthTotals::new(Measure::BilledCost, month);
        let sink = totals.sink();
        let context = RowContext {
            detail,
            ..self.context.clone()
        };
        let mut rows = 0;
        for part in parts {
            let responses = self.usages_of(detail, part, scope.month, catalogs).await?;
            let found: usize = responses.iter().map(|response| response.rows.len()).sum();
            // A customer without rows has nothing to report, not even the previous month.
            if found > 0 {
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                decode(&responses, part, scope, &context, &mut *sink)?;
            }
            rows += found;
        }
        let totals = totals.total()?;
        Ok(Read { totals, rows })
    }

    /// The total of `indicators` over the catalogs.
    async fn indicators(&self, month: Month) -> Result<Totals, ProviderError> {
        let view = match self.context.detail {
            Detail::Customers | Detail::Subscriptions => Detail::Customers,
            Detail::Resellers => Detail::Resellers,
        };
        let mut totals = Totals::default();
        for catalogs in self.each_catalog() {
            let filters = self.filters((month, month), view, None, catalogs.iter());
            let path = [self.context.cloud.as_str(), "indicators"];
            let request = self.http.post(&path).json(&filters);
            let response: IndicatorsResponse = self.http.json(&request).await?;
            let Number(actual) = response.actual;
            totals.add(&self.context.currency, actual);
        }
        Ok(totals)
    }
}

/// What rows of a second source add up to.
struct Read {
    totals: Totals,
    rows: usize,
}
