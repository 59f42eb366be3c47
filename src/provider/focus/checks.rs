//! FOCUS exports: second sources of a closed month. The number of rows against the count that manifests state, and the
//! billed cost of the rows that name an invoice against that of all rows.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{
    Focus,
    columns::{Field, Headers},
    context::RowContext,
    layouts::{Delivered, Layout, MonthContent},
    rows::FileSummary,
    settings::{Cost, Quantities, RowSettings},
    store::Listed,
};
use crate::{
    charge::Measure,
    error::{ProviderError, Reason},
    provider::second_source::{Check, ClosedMonth, Comparison, MonthTotals, Totals},
};

/// The dimension that the month is read by again.
const INVOICE: &str = "invoice_id";

/// A month that both checks read together, once.
struct Again<'a> {
    focus: &'a Focus,
    month: ClosedMonth<'a>,
    context: Arc<RowContext>,
    deliveries: OnceCell<Vec<(Layout, Delivered)>>,
    read: OnceCell<Read>,
}

/// What reading the month again gave.
struct Read {
    by_invoice: MonthTotals,
    /// What the files of all deliveries had.
    summary: FileSummary,
}

impl Focus {
    pub(super) fn compare<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        let again = Arc::new(Again {
            focus: self,
            month,
            context: Arc::new(by_invoice(&self.context)),
            deliveries: OnceCell::new(),
            read: OnceCell::new(),
        });
        let rows = Arc::clone(&again);
        vec![
            Check::new("rows against the manifest's count", move || {
                let again = Arc::clone(&rows);
                async move { again.compare_rows().await }
            })
            .independent(),
            Check::new(
                "billed cost by InvoiceId against the month's total",
                move || {
                    let again = Arc::clone(&again);
                    async move { again.compare_invoices().await }
                },
            ),
        ]
    }
}

impl Again<'_> {
    /// All rows of the files, those of other months and those that are left out included: these are what a manifest
    /// counts.
    async fn compare_rows(&self) -> Result<Vec<Comparison>, ProviderError> {
        let deliveries = self.deliveries().await?;
        let stated = deliveries
            .iter()
            .map(|(_, delivered)| delivered.stated_rows);
        let Some(stated) = stated
            .sum::<Option<u64>>()
            .filter(|_| !deliveries.is_empty())
        else {
            return Err(not_available(match deliveries.first() {
                None => "nothing is delivered of the month",
                Some((Layout::Aws, _)) => "manifests of AWS do not state a number of rows",
                Some((_, delivered)) if delivered.manifest.is_none() => {
                    "this layout has no manifest that could state a number of rows"
                }
                Some(_) => "a manifest of the month does not state the number of its rows",
            }));
        };
        let read = self.read().await?.summary.rows;
        let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        Ok(vec![Comparison::counts("rows", count(read), count(stated))])
    }

    /// The rows that name no invoice make the difference.
    async fn compare_invoices(&self) -> Result<Vec<Comparison>, ProviderError> {
        let read = self.read().await?;
        let mut invoices = read.by_invoice.groups();
        invoices.remove("");
        if invoices.is_empty() {
            let headers = Headers::new(read.summary.columns.iter().map(String::as_str));
            let column = headers.field(Field::InvoiceId, &self.context.renamed);
            return Err(not_available(if column == Ok(None) {
                "the export has no column InvoiceId"
            } else {
                "no row of the month names an invoice, so none is written yet, or the export does not say which"
            }));
        }
        let of_invoices: Totals = invoices.values().cloned().collect();
        let mut comparisons = of_invoices.compare(self.month.totals);
        for comparison in &mut comparisons {
            let of_unit = |totals: &Totals| {
                let mut totals = totals.iter();
                totals
                    .find(|(unit, _)| *unit == comparison.unit)
                    .map(|(_, total)| total)
            };
            let mut components: Vec<(String, f64)> = invoices
                .iter()
                .filter_map(|(invoice, totals)| Some((invoice.clone(), of_unit(totals)?)))
                .collect();
            components.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
            comparison.components = components;
        }
        Ok(comparisons)
    }

    /// What was delivered of the month, source by source.
    async fn deliveries(&self) -> Result<&Vec<(Layout, Delivered)>, ProviderError> {
        let find = async || {
            let (poll, month) = (self.month.poll, self.month.month());
            let mut deliveries = Vec::new();
            for part in self.month.parts {
                let listing = self.focus.listings.for_part(self.focus, part, poll).await?;
                let content = self
                    .focus
                    .content(&listing, part, month, None, poll)
                    .await?;
                if let MonthContent::Delivered(delivered) = content {
                    deliveries.push((listing.layout, *delivered));
                }
            }
            Ok(deliveries)
        };
        self.deliveries.get_or_try_init(find).await
    }

    async fn read(&self) -> Result<&Read, ProviderError> {
        let read = async || {
            let months = [self.month.month()];
            let dimensions = self.context.dimensions();
            let position = dimensions.iter().position(|known| known.name == INVOICE);
            let by_invoice = MonthTotals::by_dimension(
                Measure::BilledCost,
                months[0],
                position.unwrap_or(dimensions.len()),
            );
            let sink = by_invoice.sink();
            let mut summary = FileSummary::default();
            for (layout, delivered) in self.deliveries().await? {
                let (focus, context) = (self.focus, &self.context);
                let months_of = |_: &Listed| months.to_vec();
                let reading = focus.read_files(*layout, delivered, &months_of, context, &sink);
                // What the manifest states is compared by the other check.
                let (read, _) = reading.await?;
                summary.merge(read);
            }
            Ok(Read {
                by_invoice,
                summary,
            })
        };
        self.read.get_or_try_init(read).await
    }
}

/// The same rows, their billed cost alone, by invoice.
fn by_invoice(context: &RowContext) -> RowContext {
    let values = context.filters.iter().map(|(_, values)| values.clone());
    RowContext::new(RowSettings {
        costs: vec![Cost::Billed],
        quantities: Quantities::None,
        exclude: context.exclude.clone(),
        columns: context.renamed.clone(),
        filters: context.filter_keys.iter().copied().zip(values).collect(),
        currency: context.currency.clone(),
        used: vec![INVOICE.to_owned()],
        bounds: context.bounds,
    })
}

fn not_available(why: &str) -> ProviderError {
    ProviderError::new(Reason::NotFound, why)
}
