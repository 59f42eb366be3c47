//! Second sources of the simulated `ActivePlatform`: what a reseller's subscriptions cost, in one response.

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, StatusCode, Uri};
use jiff::civil::Date;
use serde_json::json;

use super::{
    activeplatform::{authorize, currency, document, error_response},
    server::{ApiState, Query},
};
use crate::charge::Month;

/// The analytics of a reseller. As in the documents' example, a row may be of a period that was not requested.
pub(super) async fn reseller_analytics(
    State(api_state): State<ApiState>,
    Path(reseller): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(error_response) = authorize(&headers).and_then(|()| currency(&reseller)) {
        return *error_response;
    }
    let query = Query::of(&uri);
    let date = |key| query.parsed::<Date>(key).ok().flatten();
    let (Some(from), Some(to)) = (date("date_from"), date("date_to")) else {
        let detail = "date_from and date_to are required";
        return error_response(StatusCode::BAD_REQUEST, detail);
    };
    let now = api_state.clock.now();
    let operator = &api_state.world.operator;
    let mut expenses = Vec::new();
    for subscription in operator.subscriptions.iter().chain(&operator.downstream) {
        if subscription.reseller.to_string() != reseller {
            continue;
        }
        let month = Month::of(from);
        let earlier = month.previous().previous();
        let whole = (earlier.first_day(), earlier.last_day());
        for (month, days) in [(month, (from, to)), (earlier, whole)] {
            let resources = subscription.resources.iter();
            let total: f64 = resources.map(|one| one.total(month, days, now)).sum();
            if total == 0.0 {
                continue;
            }
            expenses.push(json!({
                "total": format!("{total:.6}"),
                "period": month.to_string(),
                "account_id": subscription.account,
                "subscription_id": subscription.id,
            }));
        }
    }
    document(&json!({"expenses": expenses}))
}
