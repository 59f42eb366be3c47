//! `CloudCockpit`: whether each way of discovery finds the same pairs of a customer and an instance. Only pairs with
//! licences count: the lists differ in those that have none.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    provider::{
        Part,
        second_source::{Check, ClosedMonth, Comparison, MonthTotals},
    },
};

use super::{CloudCockpit, config::Discovery};

/// Whether a pair has licences, by its id in lower case.
type Known = Arc<Mutex<HashMap<String, bool>>>;

impl CloudCockpit {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        if self.is_explicit() {
            return Vec::new();
        }
        let known = Known::default();
        [
            (
                Discovery::All,
                "pairs as configured against every customer with every instance",
            ),
            (
                Discovery::Mca,
                "pairs as configured against customer agreements",
            ),
            (
                Discovery::Subscriptions,
                "pairs as configured against subscriptions",
            ),
        ]
        .into_iter()
        .filter(|(way, _)| *way != self.discovery)
        .map(|(way, name)| {
            let known = Arc::clone(&known);
            Check::new(name, move || {
                let known = Arc::clone(&known);
                async move {
                    let found = self.discover(way).await?;
                    if found.is_empty() {
                        let message = "no pair is found in this way";
                        return Err(ProviderError::new(Reason::NotFound, message));
                    }
                    let first = self.with_licences(month.parts, month, &known).await?;
                    let second = self.with_licences(&found, month, &known).await?;
                    Ok(vec![Comparison::counts("pairs", first, second)])
                }
            })
        })
        .collect()
    }

    /// How many pairs have licences. Each is requested once.
    async fn with_licences(
        &self,
        pairs: &[Part],
        month: ClosedMonth<'_>,
        known: &Known,
    ) -> Result<usize, ProviderError> {
        let mut known = known.lock().await;
        let mut count = 0;
        for pair in pairs {
            let id = pair.id.to_ascii_lowercase();
            if let Some(has_licences) = known.get(&id) {
                count += usize::from(*has_licences);
                continue;
            }
            let ignored = MonthTotals::new(Measure::Seats, month.month());
            let has_licences = match self.licenses(pair, &ignored.sink()).await {
                Ok(content) => content.is_some(),
                Err(error) if error.is_not_applicable() => false,
                Err(error) => return Err(error),
            };
            known.insert(id, has_licences);
            count += usize::from(has_licences);
        }
        Ok(count)
    }
}
