//! Responses of the consumption log: a page, and its rows.

use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use crate::json::{
    RowError,
    scalars::{Number, Streamed, Text, local_time},
};

/// The response without its rows. Offset and limit are those of the request, as the server understood them.
#[derive(Deserialize)]
pub(super) struct PageResponse {
    pub(super) offset: Option<Number>,
    pub(super) limit: Option<Number>,
    #[serde(rename = "data")]
    _data: Streamed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    tenant_id: Option<Text<'a>>,
    #[serde(borrow)]
    project_id: Option<Text<'a>>,
    #[serde(borrow)]
    resource_id: Option<Text<'a>>,
    #[serde(borrow)]
    operation_id: Option<Text<'a>>,
    #[serde(borrow)]
    valid_from: Option<Text<'a>>,
    #[serde(borrow)]
    valid_to: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) unit: Option<Text<'a>>,
    value: Option<Number>,
    #[serde(borrow)]
    pub(super) metric_type: Option<Text<'a>>,
    #[serde(borrow)]
    billing_information: Option<BillingInformation<'a>>,
}

#[derive(Deserialize)]
struct BillingInformation<'a> {
    #[serde(borrow, rename = "billingReference")]
    reference: Option<Text<'a>>,
    #[serde(borrow, rename = "billingReferenceTag")]
    tag: Option<Text<'a>>,
    #[serde(borrow, rename = "billingReferenceType")]
    kind: Option<Text<'a>>,
}

impl LogResponse<'_> {
    /// Everything that distinguishes two rows, except for the value.
    pub(super) fn key(&self) -> [&str; 12] {
        let [tenant, project, metric, resource, operation, reference, tag] = self.dimensions();
        [
            Text::or_empty(self.id.as_ref()),
            tenant,
            project,
            metric,
            resource,
            operation,
            reference,
            tag,
            Text::or_empty(
                self.billing_information
                    .as_ref()
                    .and_then(|billing| billing.kind.as_ref()),
            ),
            Text::or_empty(self.unit.as_ref()),
            Text::or_empty(self.valid_from.as_ref()),
            Text::or_empty(self.valid_to.as_ref()),
        ]
    }

    /// Whether it names a project.
    pub(super) fn has_project(&self) -> bool {
        !Text::or_empty(self.project_id.as_ref()).is_empty()
    }

    /// The values of the provider's dimensions, in their order.
    pub(super) fn dimensions(&self) -> [&str; 7] {
        let billing = self.billing_information.as_ref();
        [
            Text::or_empty(self.tenant_id.as_ref()),
            Text::or_empty(self.project_id.as_ref()),
            Text::or_empty(self.metric_type.as_ref()),
            Text::or_empty(self.resource_id.as_ref()),
            Text::or_empty(self.operation_id.as_ref()),
            Text::or_empty(billing.and_then(|billing| billing.reference.as_ref())),
            Text::or_empty(billing.and_then(|billing| billing.tag.as_ref())),
        ]
    }

    pub(super) fn value(&self) -> Result<f64, RowError> {
        self.value
            .map(|Number(value)| value)
            .ok_or_else(|| RowError::field("value", "is missing"))
    }

    /// When it begins, in UTC.
    pub(super) fn begin(&self) -> Result<DateTime, RowError> {
        let text = self
            .valid_from
            .as_ref()
            .ok_or_else(|| RowError::field("validFrom", "is missing"))?;
        time("validFrom", text)
    }

    /// When it ends, in UTC, if reported.
    pub(super) fn end(&self) -> Result<Option<DateTime>, RowError> {
        self.valid_to
            .as_ref()
            .map(|text| time("validTo", text))
            .transpose()
    }
}

fn time(field: &'static str, Text(text): &Text<'_>) -> Result<DateTime, RowError> {
    local_time(text, &TimeZone::UTC)
        .ok_or_else(|| RowError::field(field, "must be a date and time (RFC 3339)"))
}
