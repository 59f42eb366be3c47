//! The JSON schema over the tests' own provider.

use super::*;

#[test]
fn schema_has_defaults_and_common_keys() {
    let schema = crate::config::schema::schema_of(|_| ProviderEntry::of::<Bank>());
    for (pointer, want) in [
        ("/properties/poll/properties/interval/default", "\"1h\""),
        ("/properties/poll/properties/max_series/default", "20000"),
        ("/properties/poll/properties/plausibility/default", "true"),
        ("/properties/log/properties/level/default", "\"info\""),
        (
            "/properties/accounts/additionalProperties/oneOf/0/properties/provider/const",
            "\"otc\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/timezone/default",
            "\"Europe/Berlin\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/day_closes_after/default",
            "\"6h\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/concurrency/default",
            "4",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/additionalProperties",
            "false",
        ),
        ("/additionalProperties", "false"),
    ] {
        let found = schema.pointer(pointer).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(want), "{pointer}");
    }
}
