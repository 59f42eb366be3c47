//! How a response changes a month that is known already: it replaces what it reports, and nothing else.

use crate::{
    charge::Month,
    ledger::{LabelTable, PartTotals, Sums},
    provider::{FetchedMonth, PollRequest},
    state::part::{MonthState, ReportedMonth},
};

/// Whether a response replaces what is known of a requested month.
///
/// A month that the provider withholds stays as it was. So does a closed month without rows, unless the response is
/// marked as complete: in the first hours of a month an API may not report the previous month yet, or report it as
/// empty. In the current month, no rows means that nothing was charged so far. A month that is unchanged is not in the
/// response, and a closed month with final rows is not replaced by provisional ones.
pub(super) fn is_replaced(
    known: Option<&MonthState>,
    totals: &PartTotals,
    month: Month,
    request: &PollRequest,
) -> bool {
    let fetched = totals.fetched.months.get(&month);
    if matches!(fetched, Some(FetchedMonth::Unchanged { .. })) {
        return false;
    }
    let Some(MonthState::Reported(known)) = known else {
        return true;
    };
    let is_known_as_empty = known.sums.rows == 0;
    let is_closed = month < request.current;
    if is_closed && is_provisional(totals, month) && !known.marks.provisional && !is_known_as_empty
    {
        return false;
    }
    let is_reported =
        fetched.is_some() || sums_of(totals, month).is_some() || totals.reported.contains(&month);
    is_reported || (!totals.withheld.contains(&month) && (!is_closed || is_known_as_empty))
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
        (Some(MonthState::Reported(known)), Some(reported))
            if month < request.current
                && !totals.identity.is_empty()
                && !is_finalised(known, totals, month) =>
        {
            let sums = &known.sums;
            sums.missing_from(reported, label_table, &totals.label_table, &totals.identity)
        }
        _ => Sums::default(),
    }
}

/// Whether a response marks what it reports of a month as provisional.
fn is_provisional(totals: &PartTotals, month: Month) -> bool {
    let marks = totals.marks.get(&month);
    marks.is_some_and(|marks| marks.provisional)
}

/// Whether a response replaces provisional data by final data of another source, so that the two are not compared.
pub(super) fn is_finalised(known: &ReportedMonth, totals: &PartTotals, month: Month) -> bool {
    known.marks.provisional && !is_provisional(totals, month)
}

/// The sums of a month in a response; `None` if it has no row of it.
pub(super) fn sums_of(totals: &PartTotals, month: Month) -> Option<&Sums> {
    let mut months = totals.months.iter();
    months
        .find(|(known, _)| *known == month)
        .map(|(_, sums)| sums)
}
