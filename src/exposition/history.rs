//! Past values as `OpenMetrics` with timestamps, with the families and labels of a scrape, written family by family.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use jiff::Timestamp;

use super::END_OF_OPEN_METRICS;
use crate::exposition::{
    encode::{escape, labels},
    families::{MetricFamily, PERIOD_END, PERIOD_START, of_charges},
    self_metrics::seconds,
};
use crate::{
    charge::Measure,
    view::{PastView, Window},
};

/// How much was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Series.
    pub series: u64,
    /// Samples of all series.
    pub samples: u64,
}

/// Called after every series with how much was written and which share of all is done; its error ends the writing.
pub type OnProgress<'a> = &'a mut dyn FnMut(&Written, f64) -> io::Result<()>;

/// Writes what accounts showed in the past, in their order, with extra labels on every series. A family has one header
/// and is contiguous; the samples of a series are contiguous and in the order of time, because Prometheus silently drops
/// samples that are older than the last one of their series.
pub fn write_past(
    out: &mut dyn Write,
    accounts: &[PastView],
    extra_labels: &[(String, String)],
    on_progress: OnProgress<'_>,
) -> io::Result<Written> {
    let mut writer = HistoryWriter {
        out,
        extra_labels: String::new(),
        written: Written::default(),
    };
    for (name, value) in extra_labels {
        writer.extra_labels.push(',');
        push_label(&mut writer.extra_labels, name, value);
    }
    let steps = (of_charges().count() + PERIODS.len()) * accounts.len();
    let mut step = 0_usize;
    for family in of_charges() {
        let mut begun = false;
        for account in accounts {
            let share = step as f64 / steps as f64;
            writer.write(account, family, &mut begun, &mut |written| {
                on_progress(written, share)
            })?;
            step += 1;
        }
    }
    for (name, pick) in PERIODS {
        let mut begun = false;
        for account in accounts {
            writer.write_period(account, name, pick, &mut begun)?;
            step += 1;
            on_progress(&writer.written, step as f64 / steps as f64)?;
        }
    }
    writer.out.write_all(END_OF_OPEN_METRICS.as_bytes())?;
    Ok(writer.written)
}

/// Which instant of a billing month a family shows. Queries need it to tell a new month from a drop in cost.
type Pick = fn((Timestamp, Timestamp)) -> Timestamp;
const PERIODS: [(MetricFamily, Pick); 2] = [
    (PERIOD_START, |month| month.0),
    (PERIOD_END, |month| month.1),
];

struct HistoryWriter<'a> {
    out: &'a mut dyn Write,
    /// The extra labels as text of every line.
    extra_labels: String,
    written: Written,
}

impl HistoryWriter<'_> {
    /// One account's series of one family, the header before the first.
    fn write(
        &mut self,
        past: &PastView,
        (name, measure, window): (MetricFamily, Measure, Window),
        begun: &mut bool,
        on_progress: &mut dyn FnMut(&Written) -> io::Result<()>,
    ) -> io::Result<()> {
        for series in past.series(measure, window) {
            self.begin(name, begun)?;
            let texts = past.labels.texts(series.set);
            let own = labels(&past.account, texts, measure, &series.unit);
            self.write_series(name, own, series.values)?;
            on_progress(&self.written)?;
        }
        Ok(())
    }

    /// When one account's billing months began or ended.
    fn write_period(
        &mut self,
        past: &PastView,
        name: MetricFamily,
        pick: Pick,
        begun: &mut bool,
    ) -> io::Result<()> {
        let months = past.billing_periods();
        if months.is_empty() {
            return Ok(());
        }
        self.begin(name, begun)?;
        let own = [
            ("provider", past.account.provider_label.as_str()),
            ("account", past.account.name.as_str()),
        ];
        let values = months
            .into_iter()
            .map(|(month, instants)| (seconds(pick(month)), instants));
        self.write_series(name, own.into_iter(), values)
    }

    /// The family's header, before its first series.
    fn begin(
        &mut self,
        MetricFamily { name, help, .. }: MetricFamily,
        begun: &mut bool,
    ) -> io::Result<()> {
        if !std::mem::replace(begun, true) {
            writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        }
        Ok(())
    }

    fn write_series<'b>(
        &mut self,
        name: MetricFamily,
        own: impl Iterator<Item = (&'b str, &'b str)>,
        values: impl IntoIterator<Item = (f64, &'b [Timestamp])>,
    ) -> io::Result<()> {
        let mut line = name.name.to_owned();
        for (position, (label, value)) in own.enumerate() {
            line.push(if position == 0 { '{' } else { ',' });
            push_label(&mut line, label, value);
        }
        line.push_str(&self.extra_labels);
        line.push_str("} ");
        let named = line.len();
        for (value, instants) in values {
            line.truncate(named);
            write!(line, "{value} ").expect("writing to a String cannot fail");
            let before_time = line.len();
            for instant in instants {
                line.truncate(before_time);
                writeln!(line, "{}", instant.as_second()).expect("writing to a String cannot fail");
                self.out.write_all(line.as_bytes())?;
                self.written.samples += 1;
            }
        }
        self.written.series += 1;
        Ok(())
    }
}

fn push_label(line: &mut String, name: &str, value: &str) {
    line.push_str(name);
    line.push_str("=\"");
    escape(value, line);
    line.push('"');
}
