//! How a response changes a month that is known already: it replaces what it reports, and nothing else.

use crate::{
    charge::Month,
    ledger::{LabelTable, PartTotals, Sums},
    provider::PollRequest,
    state::part::MonthState,
};

/// Whether a response replaces what is known of a requested month.
///
/// A month that the provider withholds stays as it was. So does a closed month without rows, unless the response is
/// marked as complete: in the first hours of a month an API may not report the previous month yet, or report it as
/// empty. In the current month, no rows means that nothing was charged so far.
pub(super) fn is_replaced(
    known: Option<&MonthState>,
    totals: &PartTotals,
    month: Month,
    request: &PollRequest,
) -> bool {
    let Some(MonthState::Reported { sums, .. }) = known else {
        return true;
    };
    let is_reported = sums_of(totals, month).is_some() || totals.reported.contains(&month);
    let is_known_as_empty = sums.rows == 0;
    is_reported
        || (!totals.withheld.contains(&month) && (month >= request.current || is_known_as_empty))
}

/// The known sums of those rows of a closed month that a response leaves out, if it may leave out rows.
pub(super) fn missing_rows(
    known: Option<&MonthState>,
    label_table: &LabelTable,
    totals: &PartTotals,
    month: Month,
    request: &PollRequest,
) -> Sums {
    match (known, sums_of(totals, month)) {
        (Some(MonthState::Reported { sums, .. }), Some(reported))
            if month < request.current && !totals.identity.is_empty() =>
        {
            sums.missing_from(reported, label_table, &totals.label_table, &totals.identity)
        }
        _ => Sums::default(),
    }
}

/// The sums of a month in a response; `None` if it has no row of it.
pub(super) fn sums_of(totals: &PartTotals, month: Month) -> Option<&Sums> {
    let mut months = totals.months.iter();
    months
        .find(|(known, _)| *known == month)
        .map(|(_, sums)| sums)
}
