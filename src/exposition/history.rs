//! The past as `OpenMetrics` with timestamps: the live families and labels, written family by family as it is made.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use jiff::Timestamp;

use super::END_OF_OPEN_METRICS;
use crate::exposition::{
    encode::labels,
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

/// Is told after every series how much was written and which share of all was looked at; its error ends the writing.
pub type GoOn<'a> = &'a mut dyn FnMut(&Written, f64) -> io::Result<()>;

/// Writes what accounts showed in the past, in their order, with further labels on every series. A family stands
/// together with its header once, a series' samples together and in the order of time: Prometheus drops what is
/// to_text_0_0_4 than the series' last sample without a word.
pub fn write_past(
    out: &mut dyn Write,
    accounts: &[PastView],
    further: &[(String, String)],
    go_on: GoOn<'_>,
) -> io::Result<Written> {
    let mut book = Book {
        out,
        further: String::new(),
        written: Written::default(),
    };
    for (name, value) in further {
        book.further.push(',');
        push_label(&mut book.further, name, value);
    }
    let steps = (of_charges().count() + PERIODS.len()) * accounts.len();
    let mut step = 0_usize;
    for family in of_charges() {
        let mut begun = false;
        for account in accounts {
            let share = step as f64 / steps as f64;
            book.write(account, family, &mut begun, &mut |written| {
                go_on(written, share)
            })?;
            step += 1;
        }
    }
    for (name, pick) in PERIODS {
        let mut begun = false;
        for account in accounts {
            book.write_period(account, name, pick, &mut begun)?;
            step += 1;
            go_on(&book.written, step as f64 / steps as f64)?;
        }
    }
    book.out.write_all(END_OF_OPEN_METRICS.as_bytes())?;
    Ok(book.written)
}

/// Which instant of a billing month a family shows: without it no query can tell a month's turn from a loss of money.
type Pick = fn((Timestamp, Timestamp)) -> Timestamp;
const PERIODS: [(MetricFamily, Pick); 2] = [
    (PERIOD_START, |month| month.0),
    (PERIOD_END, |month| month.1),
];

struct Book<'a> {
    out: &'a mut dyn Write,
    /// The further labels as they stand in every line.
    further: String,
    written: Written,
}

impl Book<'_> {
    /// One account's series of one family, the header before the first.
    fn write(
        &mut self,
        past: &PastView,
        (name, measure, window): (MetricFamily, Measure, Window),
        begun: &mut bool,
        go_on: &mut dyn FnMut(&Written) -> io::Result<()>,
    ) -> io::Result<()> {
        for series in past.series(measure, window) {
            self.begin(name, begun)?;
            let texts = past.labels.texts(series.set);
            let own = labels(&past.account, texts, measure, &series.unit);
            self.write_series(name, own, series.values)?;
            go_on(&self.written)?;
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
            ("provider", past.account.provider_name.as_str()),
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
        line.push_str(&self.further);
        line.push_str("} ");
        let named = line.len();
        for (value, instants) in values {
            line.truncate(named);
            write!(line, "{value} ").expect("a String takes every text");
            let told = line.len();
            for instant in instants {
                line.truncate(told);
                writeln!(line, "{}", instant.as_second()).expect("a String takes every text");
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
    for char in value.chars() {
        match char {
            '\\' => line.push_str("\\\\"),
            '"' => line.push_str("\\\""),
            '\n' => line.push_str("\\n"),
            char => line.push(char),
        }
    }
    line.push('"');
}
