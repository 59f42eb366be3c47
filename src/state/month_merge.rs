//! What an answer leaves of a month that is known already: it replaces what it reports, and nothing else.

use crate::{
    charge::Month,
    ledger::{LabelTable, PartTotals, Sums},
    provider::PollRequest,
    state::part::MonthState,
};

/// Whether an answer replaces what is known of a month it was asked for.
///
/// A month that the provider withholds stays what it was. So does a closed one of which there is no row, unless the
/// answer says that it is whole: in the first hours of a month an API may not tell the last one yet, or tell it as
/// nothing. Of the running month no row is nothing charged so far.
pub(super) fn is_replaced(
    known: Option<&MonthState>,
    said: &PartTotals,
    month: Month,
    ask: &PollRequest,
) -> bool {
    let Some(MonthState::Reported { sums, .. }) = known else {
        return true;
    };
    let is_told = sums_of(said, month).is_some() || said.reported.contains(&month);
    let is_known_as_nothing = sums.rows == 0;
    is_told || (!said.withheld.contains(&month) && (month >= ask.current || is_known_as_nothing))
}

/// What is known of those rows of a closed month that an answer leaves out, where it may do so.
pub(super) fn missing_rows(
    known: Option<&MonthState>,
    keys: &LabelTable,
    said: &PartTotals,
    month: Month,
    ask: &PollRequest,
) -> Sums {
    match (known, sums_of(said, month)) {
        (Some(MonthState::Reported { sums, .. }), Some(told))
            if month < ask.current && !said.identity.is_empty() =>
        {
            sums.missing_from(told, keys, &said.keys, &said.identity)
        }
        _ => Sums::default(),
    }
}

/// What an answer charges in a month; `None` where it has no row of it.
pub(super) fn sums_of(said: &PartTotals, month: Month) -> Option<&Sums> {
    let mut months = said.months.iter();
    months
        .find(|(known, _)| *known == month)
        .map(|(_, sums)| sums)
}
