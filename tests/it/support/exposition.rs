//! Reads an exposition strictly, in either format: families contiguous, HELP and TYPE once and first, `# EOF` last.

use std::collections::{BTreeMap, BTreeSet};

/// A whole exposition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exposition {
    pub(crate) families: Vec<Family>,
    /// Whether `# EOF` stands at its end.
    pub(crate) ended: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// In the order in which they are sent, unescaped.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    /// The value of a label; empty where there is none, as Prometheus sees it.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn label_names(&self) -> Vec<&str> {
        self.labels.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Exposition {
    /// Reads a text; the fault and its line where it is not well-formed.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut reading = Reading::default();
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        for (number, line) in (1..).zip(text.lines()) {
            reading
                .line(line)
                .map_err(|fault| format!("line {number}: {fault}: {line}"))?;
        }
        Ok(Self {
            families: reading.families,
            ended: reading.ended,
        })
    }

    /// The samples of a name.
    pub(crate) fn samples(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.families
            .iter()
            .flat_map(|family| &family.samples)
            .filter(move |sample| sample.name == name)
    }

    /// The value of the one sample that has these labels, whatever others it has.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fitting: Vec<_> = self
            .samples(name)
            .filter(|sample| {
                labels
                    .iter()
                    .all(|(label, value)| sample.label(label) == *value)
            })
            .collect();
        match fitting.as_slice() {
            [sample] => sample.value,
            all => panic!(
                "{name} with {labels:?} is there {} times: {all:#?}",
                all.len()
            ),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples(name).next().is_some()
    }

    /// All families by name, as it is scraped: that of a counter ends in `_total` in either format.
    pub(crate) fn scraped_names(&self) -> Vec<String> {
        self.families
            .iter()
            .map(|family| match family.kind.as_str() {
                "counter" => format!("{}_total", family.name.trim_end_matches("_total")),
                _ => family.name.clone(),
            })
            .collect()
    }
}

#[derive(Default)]
struct Reading {
    families: Vec<Family>,
    names: BTreeSet<String>,
    series: BTreeSet<String>,
    ended: bool,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if self.ended {
            return Err("stands behind the end");
        }
        if line == "# EOF" {
            self.ended = true;
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or("HELP without a text")?;
            if !self.names.insert(name.to_owned()) {
                return Err("the family began before");
            }
            self.families.push(Family {
                name: name.to_owned(),
                help: help.to_owned(),
                kind: String::new(),
                samples: Vec::new(),
            });
            return Ok(());
        }
        let family = self.families.last_mut().ok_or("no HELP before it")?;
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("TYPE without a kind")?;
            if name != family.name || !family.kind.is_empty() || !family.samples.is_empty() {
                return Err("TYPE is not right behind its HELP");
            }
            kind.clone_into(&mut family.kind);
            return Ok(());
        }
        if line.starts_with('#') || line.is_empty() {
            return Err("is neither a comment that is known nor a sample");
        }
        let sample = sample(line)?;
        let fits = sample.name == family.name
            || (family.kind == "counter"
                && sample.name.strip_suffix("_total") == Some(&family.name))
            || (family.kind == "histogram"
                && ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|suffix| sample.name.strip_suffix(suffix) == Some(&family.name)));
        if !fits || family.kind.is_empty() {
            return Err("is no sample of the family it stands in");
        }
        let labels: BTreeMap<_, _> = sample.labels.iter().cloned().collect();
        if labels.len() < sample.labels.len() {
            return Err("a label comes twice");
        }
        if !self.series.insert(format!("{}{labels:?}", sample.name)) {
            return Err("the series comes twice");
        }
        family.samples.push(sample);
        Ok(())
    }
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let word = |byte: char| !(byte.is_ascii_alphanumeric() || byte == '_');
    let end = line.find(word).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").ok_or("a label without a value")?;
            if label.is_empty() || label.contains(word) {
                return Err("that is no name of a label");
            }
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            rest = after
                .strip_prefix(',')
                .or(after.starts_with('}').then_some(after))
                .ok_or("neither a comma nor the end of the labels")?;
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or("no value")?;
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().map_err(|_| "the value is no number")?,
    })
}

/// A label's value without its escapes, and what stands behind its quote.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, '\\')) => value.push('\\'),
                Some((_, '"')) => value.push('"'),
                Some((_, 'n')) => value.push('\n'),
                _ => return Err("an escape that there is not"),
            },
            char => value.push(char),
        }
    }
    Err("a value without an end")
}

#[test]
fn malformed_exposition_is_refused() {
    let head = "# HELP a_b What.\n# TYPE a_b gauge\n";
    for (text, want) in [
        ("a_b 1\n", "no HELP before it"),
        (
            "# HELP a_b What.\na_b 1\n",
            "is no sample of the family it stands in",
        ),
        ("a_c 1\n", "is no sample of the family it stands in"),
        ("# HELP a_b Again.\n", "the family began before"),
        ("# TYPE a_b gauge\n", "TYPE is not right behind its HELP"),
        ("a_b{x=\"1\",x=\"2\"} 1\n", "a label comes twice"),
        (
            "a_b{x=\"1\",y=\"2\"} 1\na_b{y=\"2\",x=\"1\"} 1\n",
            "the series comes twice",
        ),
        ("a_b{x=\"1} 1\n", "a value without an end"),
        ("a_b{x=\"\\t\"} 1\n", "an escape that there is not"),
        ("a_b one\n", "the value is no number"),
        ("# EOF\na_b 1\n", "stands behind the end"),
        ("a_b 1", "the last line has no end"),
    ] {
        let alone = text.starts_with("a_b 1\n") || text.contains("HELP a_b What");
        let text = if alone {
            text.to_owned()
        } else {
            format!("{head}{text}")
        };
        let fault = Exposition::read(&text).unwrap_err();
        assert!(fault.contains(want), "{text}: {fault}");
    }
    let good = format!("{head}a_b{{x=\"q\\\"b\\\\n\\n\"}} 1.5\na_b 2\n# EOF\n");
    let good = Exposition::read(&good).unwrap();
    assert!(good.ended);
    assert_eq!(good.families[0].samples[0].label("x"), "q\"b\\n\n");
    assert_eq!(good.families[0].samples.len(), 2);
}
