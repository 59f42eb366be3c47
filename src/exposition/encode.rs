//! Collectors of charges: one for each family over all accounts, so that a family stays contiguous.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    account::Account,
    charge::Measure,
    exposition::families::{CUSTOMER_INFO, MetricFamily, PRODUCT_INFO, PROJECT_INFO, of_charges},
    view::{Info, LabelSets, View, Window},
};

/// Registers every family of charges, and the ids and descriptions of their labels.
pub(super) fn register(registry: &mut Registry, views: &Arc<[View]>) {
    for (family, measure, window) in of_charges() {
        registry.register_collector(Box::new(Charges {
            family,
            measure,
            window,
            views: Arc::clone(views),
        }));
    }
    for (slot, family) in [CUSTOMER_INFO, PROJECT_INFO, PRODUCT_INFO]
        .into_iter()
        .enumerate()
    {
        registry.register_collector(Box::new(Infos {
            family,
            slot,
            views: Arc::clone(views),
        }));
    }
}

struct Charges {
    family: MetricFamily,
    measure: Measure,
    window: Window,
    views: Arc<[View]>,
}

impl Collector for Charges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let families = |view: &'_ View| -> Vec<usize> {
            (0..view.families.len())
                .filter(|&at| {
                    let family = &view.families[at];
                    family.measure == self.measure && family.window == self.window
                })
                .collect()
        };
        if self.views.iter().all(|view| families(view).is_empty()) {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(
            self.family.name,
            self.family.help,
            None,
            MetricType::Gauge,
        )?;
        let mut prefix = LabelPrefix::default();
        for view in self.views.iter() {
            for at in families(view) {
                let family = &view.families[at];
                prefix.begin(&view.account);
                for &(set, value) in &family.values {
                    let last = prefix.update(&view.account, &view.labels, set);
                    let series = Series {
                        prefix: &prefix.text,
                        last,
                        of_unit: of_unit(family.measure, &family.unit),
                    };
                    ConstGauge::new(value).encode(metric.encode_family(&series)?)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Charges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name)
    }
}

/// Everything before the last label's value: all other labels as text, and the last one's name. Consecutive series often
/// share it, and then it is written as a whole.
#[derive(Default)]
struct LabelPrefix {
    text: String,
    /// How much of it is about the account alone.
    of_account: usize,
    /// The texts of the rest, by number.
    numbers: Vec<u32>,
}

impl LabelPrefix {
    /// Starts over with the labels of an account.
    fn begin(&mut self, account: &Account) {
        self.text.clear();
        for (name, value) in of_account(account) {
            self.push(name, value);
        }
        self.of_account = self.text.len();
        self.numbers.clear();
    }

    /// Changes to the prefix of a label set. Returns the last label's value.
    fn update<'a>(&mut self, account: &Account, labels: &'a LabelSets, set: u32) -> &'a str {
        let mut texts = labels.texts(set);
        let last = texts.next_back().unwrap_or_default();
        let numbers = labels.numbers(set);
        let numbers = &numbers[..numbers.len().saturating_sub(1)];
        if self.numbers.is_empty() || self.numbers != numbers {
            self.numbers.clear();
            self.numbers.extend_from_slice(numbers);
            self.text.truncate(self.of_account);
            let mut names = account.labels.slots.iter().map(|slot| slot.label.as_str());
            let name_of_last = names.next_back().unwrap_or_default();
            for (name, value) in names.zip(texts) {
                self.push(name, value);
            }
            self.text.push_str(name_of_last);
        }
        last
    }

    fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(value, &mut self.text);
        self.text.push_str("\",");
    }
}

/// Writes a label's value as both text formats escape it.
pub(super) fn escape(value: &str, text: &mut String) {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\\', b'"', b'\n', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

/// The labels of one series.
#[derive(Debug)]
struct Series<'a> {
    prefix: &'a str,
    last: &'a str,
    of_unit: Option<(&'static str, &'a str)>,
}

impl EncodeLabelSet for Series<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        // The encoder writes a label's name verbatim, so the prefix can be passed as one.
        (self.prefix, self.last).encode(encoder.encode_label())?;
        match self.of_unit {
            Some(label) => label.encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}

fn of_account(account: &Account) -> [(&'static str, &str); 2] {
    [
        ("provider", account.provider_label.as_str()),
        ("account", &account.name),
    ]
}

fn of_unit(measure: Measure, unit: &str) -> Option<(&'static str, &str)> {
    match measure {
        _ if measure.is_cost() => Some(("currency", unit)),
        _ if measure.is_seats() => None,
        _ => Some(("unit", unit)),
    }
}

/// The labels of one series and their values, in the order in which they are served.
pub(super) fn labels<'a>(
    account: &'a Account,
    texts: impl Iterator<Item = &'a str>,
    measure: Measure,
    unit: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let names = account.labels.slots.iter().map(|slot| slot.label.as_str());
    of_account(account)
        .into_iter()
        .chain(names.zip(texts))
        .chain(of_unit(measure, unit))
}

struct Infos {
    family: MetricFamily,
    slot: usize,
    views: Arc<[View]>,
}

impl Collector for Infos {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let infos = |view: &'_ View| -> Vec<Info> {
            view.labels
                .infos()
                .get(self.slot)
                .cloned()
                .unwrap_or_default()
        };
        if self.views.iter().all(|view| infos(view).is_empty()) {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(
            self.family.name,
            self.family.help,
            None,
            MetricType::Gauge,
        )?;
        for view in self.views.iter() {
            let account = &view.account;
            for info in infos(view) {
                let labels = [
                    ("provider", account.provider_label.as_str()),
                    ("account", &account.name),
                    (&account.labels.slots[self.slot].label, &info.shown),
                    ("id", &info.id),
                    ("description", &info.description),
                ];
                ConstGauge::new(1_i64).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Infos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exposition::Rendered,
        provider::{Granularity, MonthFetch},
        test_support::{Scripted, account, at, cost, month, state_of},
        view::{budgets::BudgetSet, view},
    };

    /// The bytes that are served for one customer of this name.
    fn served(customer: &'static str) -> String {
        let provider = Scripted::new(
            &[(Measure::BilledCost, Granularity::Month)],
            MonthFetch::Both,
        );
        let account = account(provider, "UTC");
        let now = at("2025-03-10T12:00:00Z");
        let state = state_of(&account, now, &[cost(month("2025-03"), customer, 1.5)]);
        let view = view(&Arc::new(account), &Arc::new(state), now);
        let rendered = Rendered::new(&[view].into(), &BudgetSet::default(), &[]);
        String::from_utf8(rendered.plain_text().to_vec()).unwrap()
    }

    /// A label's value as both text formats define it, read back; `None` where it never ends.
    fn unescaped(text: &str) -> Option<(String, &str)> {
        let mut value = String::new();
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => return Some((value, &text[at + 1..])),
                '\\' => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                char => value.push(char),
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_text_reads_back_from_its_label(name in "\\PC{0,40}|[\"\\\\,{}=\n\r\t ]{0,12}|.{0,20}") {
            let customer: &'static str = name.clone().leak();
            let text = served(customer);
            let start = "cloudspend_billed_cost_month_to_date{provider=\"otc\",account=\"main\",customer=\"";
            let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
            let (value, rest) = unescaped(line).unwrap();
            let want: String = name.chars().filter(|char| !char.is_control()).collect();
            let want = if want == "other" { "other (as sent)".to_owned() } else { want };
            prop_assert_eq!(value, want);
            prop_assert_eq!(rest, ",project=\"\",product=\"\",currency=\"EUR\"} 1.5");
        }
    }
}
