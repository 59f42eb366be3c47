//! Small texts in both formats. The formats differ only where there are counters.

use std::collections::BTreeSet;

use bytes::Bytes;
use prometheus_client::{collector::Collector, encoding::text, registry::Registry};

use super::Format;
use crate::exposition::deflate::Packed;

/// Families in both formats, rendered once and sent more than once.
#[derive(Debug, Default)]
pub(super) struct BothFormats {
    open_metrics: Block,
    text: Block,
}

/// A text and the same compressed.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) text: Bytes,
    pub(super) packed: Packed,
}

impl BothFormats {
    pub(super) fn new(families: impl IntoIterator<Item = impl Into<Box<dyn Collector>>>) -> Self {
        let text = encoded(families);
        Self {
            text: Block::new(to_text_0_0_4(&text)),
            open_metrics: Block::new(text),
        }
    }

    pub(super) fn of(&self, format: Format) -> &Block {
        match format {
            Format::OpenMetrics => &self.open_metrics,
            Format::Text => &self.text,
        }
    }
}

impl Block {
    fn new(text: String) -> Self {
        Self {
            packed: Packed::new(&text),
            text: text.into(),
        }
    }
}

/// Families as text of a format.
pub(super) fn in_format(
    families: impl IntoIterator<Item = impl Into<Box<dyn Collector>>>,
    format: Format,
) -> String {
    let text = encoded(families);
    match format {
        Format::OpenMetrics => text,
        Format::Text => to_text_0_0_4(&text),
    }
}

fn encoded(families: impl IntoIterator<Item = impl Into<Box<dyn Collector>>>) -> String {
    let mut registry = Registry::default();
    for family in families {
        registry.register_collector(family.into());
    }
    let mut text = String::new();
    text::encode_registry(&mut text, &registry).expect("writing to a String cannot fail");
    text
}

/// Text 0.0.4 names a counter's family with its `_total`.
fn to_text_0_0_4(open_metrics: &str) -> String {
    let counters: BTreeSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len() + 64);
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str("# ");
                text.push_str(kind);
                text.push(' ');
                text.push_str(name);
                text.push_str("_total ");
                text.push_str(rest);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
