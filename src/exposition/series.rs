//! The collectors of what was charged: one a family, walking all accounts, so that a family stays contiguous.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use super::names::{CUSTOMER_INFO, Name, PRODUCT_INFO, PROJECT_INFO, of_charges};
use crate::{
    charge::Measure,
    config::Account,
    window::{Family, Info, View, Window},
};

/// Registers every family of charges and of what stands behind their labels.
pub(super) fn register(registry: &mut Registry, views: &Arc<[View]>) {
    for (name, measure, window) in of_charges() {
        registry.register_collector(Box::new(Charges {
            name,
            measure,
            window,
            views: Arc::clone(views),
        }));
    }
    for (slot, name) in [CUSTOMER_INFO, PROJECT_INFO, PRODUCT_INFO]
        .into_iter()
        .enumerate()
    {
        registry.register_collector(Box::new(Infos {
            name,
            slot,
            views: Arc::clone(views),
        }));
    }
}

struct Charges {
    name: Name,
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
        let mut metric =
            encoder.encode_descriptor(self.name.name, self.name.help, None, MetricType::Gauge)?;
        for view in self.views.iter() {
            for at in families(view) {
                let family = &view.families[at];
                for &(set, value) in &family.values {
                    let labels = Series { view, family, set };
                    ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Charges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.name)
    }
}

/// The labels of one series.
#[derive(Debug)]
struct Series<'a> {
    view: &'a View,
    family: &'a Family,
    set: u32,
}

impl EncodeLabelSet for Series<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let texts = self.view.labels.texts(self.set);
        let Family { measure, unit, .. } = self.family;
        for label in labels(&self.view.account, texts, *measure, unit) {
            label.encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// The labels of one series and their values, in the order in which they are served.
pub(super) fn labels<'a>(
    account: &'a Account,
    texts: impl Iterator<Item = &'a str>,
    measure: Measure,
    unit: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_account = [
        ("provider", account.provider_name.as_str()),
        ("account", &account.name),
    ];
    let names = account.labels.slots.iter().map(|slot| slot.label.as_str());
    let of_unit = match measure {
        _ if measure.is_cost() => Some(("currency", unit)),
        _ if measure.is_seats() => None,
        _ => Some(("unit", unit)),
    };
    of_account
        .into_iter()
        .chain(names.zip(texts))
        .chain(of_unit)
}

struct Infos {
    name: Name,
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
        let mut metric =
            encoder.encode_descriptor(self.name.name, self.name.help, None, MetricType::Gauge)?;
        for view in self.views.iter() {
            let account = &view.account;
            for info in infos(view) {
                let labels = [
                    ("provider", account.provider_name.as_str()),
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
        f.write_str(self.name.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        budget::Money,
        exposition::Rendered,
        provider::{Grain, MonthsAsked},
        testing::{Scripted, account, at, cost, month, state_of},
        window::view,
    };

    /// The bytes that are served for one customer of this name.
    fn served(customer: &'static str) -> String {
        let provider = Scripted::new(&[(Measure::BilledCost, Grain::Month)], MonthsAsked::Both);
        let account = account(provider, "UTC");
        let now = at("2025-03-10T12:00:00Z");
        let state = state_of(&account, now, &[cost(month("2025-03"), customer, 1.5)]);
        let view = view(&Arc::new(account), &Arc::new(state), now);
        let rendered = Rendered::new(&[view].into(), &Money::default(), &[]);
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
