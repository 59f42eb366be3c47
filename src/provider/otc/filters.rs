//! Open Telekom Cloud: whether the rows of a response are those that the filters ask for. A filter that the API ignores
//! would give the whole bill.

use crate::json::{RowError, scalars::Text};

use super::{responses::ConsumptionResponse, tags::Tags};

/// What a row must have: pairs of the query.
#[derive(Debug, Default, Clone)]
pub(super) struct RowFilters {
    texts: Vec<(&'static str, String)>,
    tag: Option<TagFilter>,
}

/// The tag that a resource must have.
#[derive(Debug, Default, Clone)]
struct TagFilter {
    key: Option<String>,
    value: Option<String>,
}

impl RowFilters {
    pub(super) fn new(query: &[(&'static str, String)]) -> Self {
        let of = |wanted: &str| {
            let mut pairs = query.iter().filter(|(key, _)| *key == wanted);
            pairs.next().map(|(_, value)| value.clone())
        };
        let tag = TagFilter {
            key: of("tag_key"),
            value: of("tag_value"),
        };
        let is_compared = |(key, value): &&(&'static str, String)| match *key {
            "tag_key" | "tag_value" => false,
            // The documents call the product an integer, while rows have a code.
            "product" => !value.bytes().all(|byte| byte.is_ascii_digit()),
            _ => true,
        };
        Self {
            texts: query.iter().filter(is_compared).cloned().collect(),
            tag: (tag.key.is_some() || tag.value.is_some()).then_some(tag),
        }
    }

    /// Refuses a row whose fields disagree with the filters. A field that the row does not have disagrees with nothing.
    pub(super) fn check(&self, row: &ConsumptionResponse<'_>) -> Result<(), RowError> {
        for (key, wanted) in &self.texts {
            let field = match *key {
                "contract" => &row.contract,
                "product" => &row.product,
                "product_description" => &row.product_description,
                "project_name" => &row.project_name,
                "resource_id" => &row.resource_id,
                _ => &row.consumption_type,
            };
            let value = Text::or_empty(field.as_ref());
            if !value.is_empty() && !is_equal(value, wanted) {
                return Err(ignored(key));
            }
        }
        Ok(())
    }

    /// Whether there is a filter by tags.
    pub(super) fn has_tag(&self) -> bool {
        self.tag.is_some()
    }

    /// The key of the filter by tags, for errors.
    pub(super) fn tag_key(&self) -> &'static str {
        match &self.tag {
            Some(TagFilter { key: None, .. }) => "tag_value",
            _ => "tag_key",
        }
    }

    /// Whether one of a row's tags is the one that was asked for, or nothing is known of them.
    pub(super) fn matches(&self, tags: &Tags<'_>) -> bool {
        let Some(filter) = &self.tag else { return true };
        if matches!(tags, Tags::None | Tags::Unknown) {
            return true;
        }
        let is = |wanted: &Option<String>, text: &str| {
            let mut wanted = wanted.iter();
            wanted.all(|wanted| is_equal(text, wanted))
        };
        let mut pairs = tags.pairs().into_iter();
        pairs.any(|(key, value)| is(&filter.key, &key) && is(&filter.value, &value))
    }
}

/// The error of a row that a filter should have kept away.
pub(super) fn ignored(key: &'static str) -> RowError {
    let problem = format!("is not what filters.{key} asks for, so the filter was ignored");
    RowError::field(key, problem)
}

/// Whether two texts are equal in any case.
fn is_equal(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}
