//! Which format and encoding a scraper accepts: Accept and Accept-Encoding, with weights.

use http::{HeaderMap, HeaderName, header};

use crate::exposition::Format;

/// The format that the scraper prefers; text 0.0.4 without a preference.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let mut open_metrics = 0.0;
    let mut text = 0.0;
    for (name, parameters, weight) in entries(headers, &header::ACCEPT) {
        match name.as_str() {
            "application/openmetrics-text" => {
                let version = parameters
                    .iter()
                    .find_map(|(key, value)| (key == "version").then_some(value.as_str()));
                if matches!(version, None | Some("1.0.0")) {
                    open_metrics = f32::max(open_metrics, weight);
                }
            }
            "text/plain" | "text/*" | "*/*" => text = f32::max(text, weight),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// Whether the scraper accepts gzip.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut named = None;
    let mut any = None;
    for (name, _, weight) in entries(headers, &header::ACCEPT_ENCODING) {
        match name.as_str() {
            "gzip" | "x-gzip" => named = Some(weight > 0.0),
            "*" => any = Some(weight > 0.0),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

/// The entries of a header of weighted choices: name, parameters, weight, in lower case.
fn entries(
    headers: &HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (String, Vec<(String, String)>, f32)> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|entry| {
            let mut pieces = entry.split(';');
            let name = pieces
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            let parameters: Vec<(String, String)> = pieces
                .filter_map(|piece| piece.split_once('='))
                .map(|(key, value)| {
                    let value = value.trim().trim_matches('"');
                    (key.trim().to_ascii_lowercase(), value.to_ascii_lowercase())
                })
                .collect();
            let weight = parameters
                .iter()
                .find(|(key, _)| key == "q")
                .map_or(1.0, |(_, weight)| weight.parse().unwrap_or(0.0));
            (name, parameters, weight)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn preferred_format_is_served() {
        for (accept, want) in [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0",
                Format::Text,
            ),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.8",
                Format::Text,
            ),
            ("text/plain", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(format(&with(header::ACCEPT, accept)), want, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_is_sent_where_accepted() {
        for (accept, want) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip; q=0", false),
            ("br", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(
                accepts_gzip(&with(header::ACCEPT_ENCODING, accept)),
                want,
                "{accept}"
            );
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
