//! `ActivePlatform`: the sum of a reseller's subscriptions against the analytics of the reseller, which has them in one
//! response.

use std::collections::HashMap;

use super::{
    ActivePlatform,
    discovery::Scope,
    responses::{ResellerAnalyticsResponse, ResellerExpenseResponse},
};
use crate::{
    charge::Month,
    error::{ProviderError, Reason},
    json::scalars::{Number, Text},
    provider::{
        Part,
        second_source::{Check, ClosedMonth, Totals},
    },
};

impl ActivePlatform {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let Scope::Reseller { id, downstream } = &self.scope else {
            return Vec::new();
        };
        vec![Check::new(
            "subscriptions against the reseller's analytics",
            move || async move {
                if *downstream {
                    let message = "the reseller's analytics lack the resellers below it";
                    return Err(ProviderError::new(Reason::NotFound, message));
                }
                Ok(month.totals.compare(&self.analytics(id, month).await?))
            },
        )]
    }

    /// What the analytics of a reseller have of the month's subscriptions. Rows name their period, which may be another
    /// than the requested one.
    async fn analytics(
        &self,
        reseller: &str,
        month: ClosedMonth<'_>,
    ) -> Result<Totals, ProviderError> {
        let at = month.month();
        let mut currencies: HashMap<&str, String> = HashMap::new();
        for part in month.parts {
            let Part { id, .. } = part;
            currencies.insert(id, self.currency_of(part, month.poll.now).await?);
        }
        let request = self
            .get(&["api", "v3", "resellers", reseller, "reseller_analytics"])
            .query("date_from", &at.first_day().to_string())
            .query("date_to", &at.last_day().to_string());
        let body = self.http.body(&request).await?;
        let response: ResellerAnalyticsResponse<'_> = request.read(&body)?;
        let rows = response.expenses.iter().filter(|row| is_of(row, at));
        let mut totals = Totals::default();
        let mut is_empty = true;
        for row in rows {
            is_empty = false;
            let (Number(total), Text(id)) = (&row.total, &row.subscription_id);
            if let Some(currency) = currencies.get(&**id) {
                totals.add(currency, *total);
            }
        }
        if is_empty {
            let message = format!("{}: no row is of {at}", request.place());
            return Err(ProviderError::new(Reason::NotFound, message));
        }
        Ok(totals)
    }
}

fn is_of(row: &ResellerExpenseResponse<'_>, month: Month) -> bool {
    let period = row.period.as_ref().or(row.billing_period.as_ref());
    Text::or_empty(period).parse() == Ok(month)
}
