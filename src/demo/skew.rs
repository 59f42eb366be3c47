//! Differences between two sources: some responses of a simulated API report another amount than the world has.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use bytes::Bytes;
use http::header;
use serde_json::Value;

/// Bodies are smaller than this.
const MAX_BODY: usize = 64 << 20;

/// Makes the first amount in each response to some requests differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Skew {
    /// Texts that a request has in its path, its query or its body.
    requests: Vec<String>,
    /// The field whose first number differs.
    field: &'static str,
    /// What is added to it.
    amount: f64,
}

impl Skew {
    /// Adds an amount to the first number of a field. A list called `items` loses so many rows in place of that.
    pub fn new(field: &'static str, amount: f64) -> Self {
        Self {
            requests: Vec::new(),
            field,
            amount,
        }
    }

    /// Affects only requests with this text, too, in their path, query or body.
    #[must_use]
    pub fn on(mut self, text: impl Into<String>) -> Self {
        self.requests.push(text.into());
        self
    }

    fn change(&self, body: &str) -> Option<String> {
        if self.field == "items" {
            return self.shorten(body);
        }
        let key = format!("\"{}\":", self.field);
        let after = body.find(&key)? + key.len();
        let rest = &body[after..];
        let begin = after + rest.find(|digit: char| digit == '-' || digit.is_ascii_digit())?;
        let rest = &body[begin..];
        let is_part = |one: char| one.is_ascii_digit() || "+-.eE".contains(one);
        let end = begin + rest.find(|one| !is_part(one)).unwrap_or(rest.len());
        let number: f64 = body[begin..end].parse().ok()?;
        let number = number + self.amount;
        Some(format!("{}{number}{}", &body[..begin], &body[end..]))
    }

    fn shorten(&self, body: &str) -> Option<String> {
        let mut page: Value = serde_json::from_str(body).ok()?;
        let items = page.get_mut("items")?.as_array_mut()?;
        let mut left = self.amount;
        while left >= 1.0 && items.pop().is_some() {
            left -= 1.0;
        }
        let kept = items.len();
        page["totalCount"] = kept.into();
        Some(page.to_string())
    }
}

/// The request, and what makes its response differ.
pub(super) async fn matching(skews: Vec<Skew>, request: Request) -> (Request, Vec<Skew>) {
    if skews.is_empty() {
        return (request, skews);
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let text = format!("{} {}", parts.uri, String::from_utf8_lossy(&body));
    let is_affected = |skew: &Skew| skew.requests.iter().all(|wanted| text.contains(wanted));
    let skews = skews.into_iter().filter(is_affected).collect();
    (Request::from_parts(parts, Body::from(body)), skews)
}

/// The response with what differs.
pub(super) async fn apply(skews: &[Skew], response: Response) -> Response {
    if skews.is_empty() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let mut body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    for skew in skews {
        let text = String::from_utf8_lossy(&body);
        if let Some(changed) = skew.change(&text) {
            body = Bytes::from(changed);
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_number_of_the_field_differs() {
        for (skew, body, want) in [
            (
                Skew::new("total", 2.5),
                r#"{"subtotal":1,"total": "-1.5","b":{"total":3}}"#,
                Some(r#"{"subtotal":1,"total": "1","b":{"total":3}}"#),
            ),
            (Skew::new("a", -1.0), "{\"a\":1e2}\n", Some("{\"a\":99}\n")),
            (Skew::new("a", 1.0), r#"{"b":1}"#, None),
            (
                Skew::new("items", 1.0),
                r#"{"items":[1,2],"totalCount":2}"#,
                Some(r#"{"items":[1],"totalCount":1}"#),
            ),
        ] {
            assert_eq!(skew.change(body).as_deref(), want, "{body}");
        }
    }
}
