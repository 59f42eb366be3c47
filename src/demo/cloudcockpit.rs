//! The simulated CSP API of `CloudCockpit`, with the token endpoint: customers, provider instances, licences. Calls
//! that delete return 500 and are counted: nothing may ever make them.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{delete, get, post},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::{
    server::{ApiState, Query, bearer, is_valid_token, json_response, text, token},
    setup,
    world::licences::{Instance, LicenceCustomer},
};

/// How the API responds where its documents leave it open, or by the role of the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact by itself that a test turns on"
)]
pub struct CloudCockpitOptions {
    /// Whether the credential may read `v1/Customers/mca`.
    pub lists_agreements: bool,
    /// Whether the credential may read `v1/subscriptions`.
    pub lists_subscriptions: bool,
    /// The lists of pairs have `items: null`.
    pub null_items: bool,
    /// Every Microsoft instance reports the licences of the first one that a customer has.
    pub same_tenant: bool,
}

/// How long a token is valid.
const LIFETIME: Duration = Duration::from_secs(3599);
const MAX_PAGE: usize = 2000;

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route(
            &format!("/{}/oauth2/v2.0/token", setup::DIRECTORY),
            post(login),
        )
        .route("/v1/Customers", get(customers))
        .route("/v1/Customers/mca", get(agreements))
        .route("/v1/subscriptions", get(subscriptions))
        .route("/v1/Customers/{customer}", delete(reject))
        .route("/v1/Customers/{customer}/licenses", get(licenses))
        .route(
            "/v1/Customers/{customer}/remove-reseller-relationship/{instance}",
            delete(reject),
        )
        .route("/v1/Providers/Instances", get(instances))
}

async fn login(State(api_state): State<ApiState>, body: Bytes) -> Response {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let given = |key: &str| {
        form.iter()
            .find(|(known, _)| known == key)
            .map_or("", |(_, value)| value.as_str())
    };
    let error = if given("grant_type") != "client_credentials" {
        Some((StatusCode::BAD_REQUEST, "unsupported_grant_type"))
    } else if given("scope") != setup::SCOPE {
        Some((StatusCode::BAD_REQUEST, "invalid_scope"))
    } else if given("client_id") != setup::CLIENT_ID
        || given("client_secret") != setup::CLIENT_SECRET
    {
        Some((StatusCode::UNAUTHORIZED, "invalid_client"))
    } else {
        None
    };
    if let Some((status, error)) = error {
        let body = json!({"error": error, "error_description": "the login was rejected"});
        return json_response(status, &body);
    }
    let now = api_state.clock.now();
    json_response(
        StatusCode::OK,
        &json!({
            "token_type": "Bearer",
            "expires_in": LIFETIME.as_secs(),
            "ext_expires_in": LIFETIME.as_secs(),
            "access_token": token(setup::CLIENT_SECRET, setup::CLIENT_ID, now, LIFETIME),
        }),
    )
}

async fn reject(headers: HeaderMap) -> Response {
    error_response(
        &headers,
        StatusCode::INTERNAL_SERVER_ERROR,
        "nothing is deleted here",
    )
}

async fn customers(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(error_response) = authorize(&api_state, &headers) {
        return *error_response;
    }
    let query = Query::of(&uri);
    // The documents describe this parameter without its name, with true as its default.
    let deleted = query
        .keys()
        .find(|key| key.to_ascii_lowercase().contains("deleted"))
        .is_none_or(|key| query.text(key) != "false");
    let items = api_state
        .world
        .licences
        .customers
        .iter()
        .filter(|customer| deleted || !customer.deleted)
        .map(|customer| {
            json!({
                "id": customer.id,
                "companyName": customer.name,
                "taxId": null,
                "country": "DE",
                "isDeleted": customer.deleted,
            })
        })
        .collect();
    page(&headers, &query, items)
}

/// The pairs of a customer that is not deleted and an instance that it buys from.
fn pairs(api_state: &ApiState) -> Vec<(&LicenceCustomer, &Instance)> {
    let licences = &api_state.world.licences;
    let customers = licences
        .customers
        .iter()
        .filter(|customer| !customer.deleted);
    customers
        .flat_map(|customer| {
            let instances = customer.instances.iter();
            instances.map(move |at| (customer, &licences.instances[*at]))
        })
        .collect()
}

/// The customer agreements: Microsoft's alone, with personal data.
async fn agreements(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(error_response) = authorize(&api_state, &headers) {
        return *error_response;
    }
    if !api_state.options.cloudcockpit.lists_agreements {
        return json_response(StatusCode::FORBIDDEN, &Value::Null);
    }
    let microsoft = pairs(&api_state).into_iter().filter(|(_, at)| at.microsoft);
    let items = microsoft
        .map(|(customer, instance)| {
            json!({
                "customerId": customer.id,
                "providerCustomerId": null,
                "companyName": customer.name,
                "providerInstanceId": instance.id,
                "providerInstanceName": instance.alias,
                "firstName": "Jane",
                "lastName": "Doe",
                "email": "jane.doe@example.com",
                "phone": "+49 30 1234567",
                "status": {"name": "agreementcreated"},
            })
        })
        .collect();
    list_of_pairs(&api_state, &headers, &uri, items)
}

async fn subscriptions(
    State(api_state): State<ApiState>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(error_response) = authorize(&api_state, &headers) {
        return *error_response;
    }
    if !api_state.options.cloudcockpit.lists_subscriptions {
        return json_response(StatusCode::FORBIDDEN, &Value::Null);
    }
    let items = pairs(&api_state)
        .into_iter()
        .map(|(customer, instance)| {
            json!({
                "id": format!("{}-{}", customer.id, instance.id),
                "customerId": customer.id,
                "providerInstanceId": instance.id,
                "resellerId": null,
                "subscriptionName": "Microsoft 365",
                "offerType": {"name": "License"},
                "subscriptionStatus": {"name": "Active"},
            })
        })
        .collect();
    list_of_pairs(&api_state, &headers, &uri, items)
}

fn list_of_pairs(
    api_state: &ApiState,
    headers: &HeaderMap,
    uri: &Uri,
    items: Vec<Value>,
) -> Response {
    if api_state.options.cloudcockpit.null_items {
        let empty = json!({"items": null, "totalPages": 0, "totalCount": 0, "hasNextPage": false});
        return json_response(StatusCode::OK, &empty);
    }
    page(headers, &Query::of(uri), items)
}

async fn instances(State(api_state): State<ApiState>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(error_response) = authorize(&api_state, &headers) {
        return *error_response;
    }
    let items = api_state
        .world
        .licences
        .instances
        .iter()
        .map(|instance| {
            let (name, offers) = if instance.microsoft {
                ("Microsoft", json!(["License", "AzurePlan"]))
            } else {
                ("Acme Backup", json!(["SoftwareSubscription"]))
            };
            json!({
                "id": instance.id,
                "alias": instance.alias,
                "instanceProviderId": "34851c42-87d2-423d-8fac-537b0e6f133b",
                "offerTypes": offers,
                "provider": {"name": name},
            })
        })
        .collect();
    page(&headers, &Query::of(&uri), items)
}

async fn licenses(
    State(api_state): State<ApiState>,
    Path(customer): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if let Err(error_response) = authorize(&api_state, &headers) {
        return *error_response;
    }
    let query = Query::of(&uri);
    let wanted = query.text("providerInstanceId");
    let licences = &api_state.world.licences;
    if uuid::Uuid::try_parse(wanted).is_err() || uuid::Uuid::try_parse(&customer).is_err() {
        return error_response(
            &headers,
            StatusCode::BAD_REQUEST,
            "an id is missing or is no GUID",
        );
    }
    let customer = licences
        .customers
        .iter()
        .position(|known| known.id == customer && !known.deleted);
    let instance = licences
        .instances
        .iter()
        .position(|known| known.id == wanted);
    let (Some(customer), Some(instance)) = (customer, instance) else {
        return error_response(
            &headers,
            StatusCode::NOT_FOUND,
            "no such customer or instance",
        );
    };
    if !licences.instances[instance].microsoft {
        return error_response(
            &headers,
            StatusCode::BAD_REQUEST,
            "not a Microsoft provider",
        );
    }
    if !licences.customers[customer].instances.contains(&instance) {
        return error_response(
            &headers,
            StatusCode::NOT_FOUND,
            "the customer does not belong to this provider instance",
        );
    }
    let mut tenants = licences.customers[customer].instances.iter();
    let first = tenants.find(|at| licences.instances[**at].microsoft);
    let tenant = first.filter(|_| api_state.options.cloudcockpit.same_tenant);
    let rows: Vec<Value> = licences
        .seats(
            customer,
            tenant.copied().unwrap_or(instance),
            api_state.clock.now(),
        )
        .into_iter()
        .map(|seats| {
            json!({
                "skuId": seats.sku,
                "name": (!seats.name.is_empty()).then_some(seats.name),
                "availableLicenses": seats.available,
                "isSelected": false,
                "totalLicenses": seats.total,
                "consumedLicenses": seats.consumed,
                "suspendedLicenses": seats.suspended,
            })
        })
        .collect();
    json_response(StatusCode::OK, &rows.into())
}

/// The token and the tenant that every request needs.
fn authorize(api_state: &ApiState, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let is_known = is_valid_token(setup::CLIENT_SECRET, bearer(headers), api_state.clock.now());
    let rejection = match text(headers, "x-tenant") {
        _ if !is_known => json_response(StatusCode::UNAUTHORIZED, &Value::Null),
        setup::TENANT => return Ok(()),
        "" => error_response(
            headers,
            StatusCode::BAD_REQUEST,
            "the header X-Tenant is required",
        ),
        _ => json_response(StatusCode::FORBIDDEN, &Value::Null),
    };
    Err(Box::new(rejection))
}

fn error_response(headers: &HeaderMap, status: StatusCode, description: &str) -> Response {
    let correlation = text(headers, "x-correlation-id");
    json_response(
        status,
        &json!({
            "statusCode": status.as_u16(),
            "type": status.canonical_reason(),
            "description": description,
            "correlationId": (!correlation.is_empty()).then_some(correlation),
            "errors": [],
        }),
    )
}

fn page(headers: &HeaderMap, query: &Query, items: Vec<Value>) -> Response {
    let (Ok(number), Ok(size)) = (
        query.parsed::<usize>("pageNumber"),
        query.parsed::<usize>("pageSize"),
    ) else {
        return error_response(headers, StatusCode::BAD_REQUEST, "not a number");
    };
    let (number, size) = (number.unwrap_or(1), size.unwrap_or(25));
    if number == 0 || size == 0 || size > MAX_PAGE {
        return error_response(headers, StatusCode::BAD_REQUEST, "no such page");
    }
    let count = items.len();
    let pages = count.div_ceil(size);
    let items: Vec<_> = items
        .into_iter()
        .skip((number - 1).saturating_mul(size))
        .take(size)
        .collect();
    json_response(
        StatusCode::OK,
        &json!({
            "items": items,
            "paginationParameters": {"pageNumber": number, "pageSize": size},
            "totalPages": pages,
            "totalCount": count,
            "hasPreviousPage": number > 1,
            "hasNextPage": number < pages,
            "continuationToken": null,
        }),
    )
}
