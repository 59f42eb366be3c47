//! The whole exposition of the demo at one moment, line by line: names, labels, HELP, order and values.

use std::collections::BTreeSet;

use cloudspend_exporter::exposition::{FAMILIES, Kind};
use jiff::Timestamp;

use crate::support::{
    Exporter, Exposition, MOMENT, OPEN_METRICS, PLAIN, TEXT, answer, demo_at, repository,
    stopped_at, writes_golden_files,
};

const GOLDEN: &str = "tests/fixtures/golden/metrics.txt";
const HEAD: &str = "# Written by `make golden`: /metrics of the demo (seed 7) at 2025-06-18T10:30:00Z as text 0.0.4, without process_*. \
     The durations of polls and requests, the times of the next polls and the version are replaced by 0.\n";

/// The families that the golden file does not have, and why.
const ABSENT: [(&str, &str); 3] = [
    ("process_", "they tell about the machine and the moment"),
    (
        "cloudspend_forecast_error_ratio",
        "the demo has just started and forecast nothing last month",
    ),
    (
        "cloudspend_state_last_write_timestamp_seconds",
        "the demo writes no state",
    ),
];

/// The exposition without what differs from run to run.
fn normalised(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let about = line
            .strip_prefix("# HELP ")
            .or(line.strip_prefix("# TYPE "))
            .unwrap_or(line);
        if about.starts_with("process_") {
            continue;
        }
        match line.rsplit_once(' ') {
            Some((series, _))
                if about.starts_with("cloudspend_poll_duration_seconds{")
                    || about.starts_with("cloudspend_next_poll_timestamp_seconds{")
                    || about.starts_with("cloudspend_api_request_duration_seconds_bucket{")
                    || about.starts_with("cloudspend_api_request_duration_seconds_sum{") =>
            {
                lines.push_str(series);
                lines.push_str(" 0");
            }
            Some((_, value)) if about.starts_with("cloudspend_build_info{") => {
                lines.push_str(
                    "cloudspend_build_info{version=\"0\",revision=\"0\",rustversion=\"0\"} ",
                );
                lines.push_str(value);
            }
            _ => lines.push_str(line),
        }
        lines.push('\n');
    }
    lines
}

/// Text 0.0.4 as `OpenMetrics` has it: the header of a counter without `_total`, and an end.
fn as_open_metrics(text: &str) -> String {
    let counters: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut lines = String::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(name) => {
                let name = name.strip_suffix("_total").unwrap();
                lines.extend(["# ", kind, " ", name, " ", rest]);
            }
            _ => lines.push_str(line),
        }
        lines.push('\n');
    }
    lines + "# EOF\n"
}

/// Fails at the first line that differs: the whole would fill many screens.
#[track_caller]
fn assert_same_lines(got: &str, want: &str, what: &str) {
    for (number, (got, want)) in (1..).zip(got.lines().zip(want.lines())) {
        assert_eq!(
            got, want,
            "{what}, line {number}; `make golden` writes it anew"
        );
    }
    let (got, want) = (got.lines().count(), want.lines().count());
    assert_eq!(got, want, "lines of {what}; `make golden` writes it anew");
}

/// Both formats of the demo at [`MOMENT`].
async fn both_formats() -> [String; 2] {
    let demo = demo_at(MOMENT).await;
    let exporter = Exporter::over(&demo, stopped_at(MOMENT)).await;
    exporter.polled().await;
    let mut texts = Vec::new();
    for accept in [TEXT, OPEN_METRICS] {
        let request = PLAIN.get(exporter.at("/metrics")).header("accept", accept);
        let answer = answer(request).await.unwrap();
        texts.push(answer.text().to_owned());
    }
    exporter.stop().await;
    demo.stop().await;
    texts.try_into().unwrap()
}

#[tokio::test]
async fn exposition_matches_the_golden_file() {
    let [text, open_metrics] = both_formats().await;
    let (text, open_metrics) = (normalised(&text), normalised(&open_metrics));
    let path = repository(GOLDEN);
    if writes_golden_files() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{HEAD}{text}")).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let golden = golden
        .strip_prefix(HEAD)
        .expect("the golden file begins with how it came to be");
    assert_same_lines(&text, golden, GOLDEN);
    assert_same_lines(&open_metrics, &as_open_metrics(golden), "OpenMetrics");
}

#[tokio::test]
async fn next_polls_are_an_interval_ahead() {
    let [text, _] = both_formats().await;
    let shown = Exposition::read(&text).unwrap();
    let moment: Timestamp = MOMENT.parse().unwrap();
    let waits: Vec<f64> = shown
        .samples("cloudspend_next_poll_timestamp_seconds")
        .map(|sample| sample.value - moment.as_second() as f64)
        .collect();
    assert_eq!(waits.len(), shown.samples("cloudspend_polls_total").count());
    // The interval of an hour, counted from the start of the poll, and a tenth of it at random.
    assert!(
        waits.iter().all(|wait| (1800.0..=3960.0).contains(wait)),
        "{waits:?}"
    );
}

#[tokio::test]
async fn budgets_say_what_they_match_where_that_is_one_value() {
    let [text, _] = both_formats().await;
    let shown = Exposition::read(&text).unwrap();
    for (budget, of_budget) in [
        (
            "azure-angstrom",
            ["enube", "azure-resale", "Ångström & Søn A/S"],
        ),
        ("otc-platform", ["otc", "", ""]),
    ] {
        let [provider, account, customer] = of_budget;
        let labels = [
            ("budget", budget),
            ("provider", provider),
            ("account", account),
            ("customer", customer),
            ("project", ""),
            ("product", ""),
        ];
        let value = shown.value("cloudspend_budget_match_info", &labels);
        assert_eq!(value.to_bits(), 1.0_f64.to_bits());
    }
}

#[tokio::test]
async fn families_are_in_order_with_help_and_labels() {
    let [text, open_metrics] = both_formats().await;
    let texts = [(text, false), (open_metrics, true)];
    for (text, ends) in texts {
        let shown = Exposition::read(&text).unwrap();
        assert_eq!(shown.ended, ends);
        let names = shown.scraped_names();
        let wanted: Vec<_> = FAMILIES
            .iter()
            .filter(|family| names.iter().any(|name| name == family.name))
            .collect();
        let order: Vec<_> = wanted.iter().map(|family| family.name).collect();
        assert_eq!(names, order, "every family is known, and stands in order");
        for (family, wanted) in shown.families.iter().zip(wanted) {
            let kind = match wanted.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
                Kind::Histogram => "histogram",
            };
            assert_eq!(family.kind, kind);
            assert_eq!(family.help, wanted.help);
            assert!(!family.samples.is_empty(), "{} is empty", family.name);
            for sample in &family.samples {
                let name = match wanted.kind {
                    Kind::Histogram => ["_bucket", "_sum", "_count"]
                        .iter()
                        .find_map(|suffix| sample.name.strip_suffix(suffix))
                        .unwrap(),
                    _ => &sample.name,
                };
                assert_eq!(name, wanted.name);
                let mut labels = sample.label_names();
                labels.retain(|label| *label != "le");
                assert_eq!(labels.join(", "), wanted.labels);
                assert!(
                    sample.value.is_finite(),
                    "{} {:?}",
                    sample.name,
                    sample.labels
                );
            }
        }
    }
}

#[test]
fn golden_file_has_every_family() {
    let golden = std::fs::read_to_string(repository(GOLDEN)).unwrap();
    let shown = Exposition::read(golden.strip_prefix(HEAD).unwrap()).unwrap();
    let names = shown.scraped_names();
    for family in FAMILIES {
        let there = names.iter().any(|name| name == family.name);
        let reason = ABSENT
            .iter()
            .find(|(prefix, _)| family.name.starts_with(prefix))
            .map(|(_, reason)| reason);
        assert_eq!(there, reason.is_none(), "{}: {reason:?}", family.name);
    }
}
