//! The values of tags: a JSON object in a text.

use serde_json::{Map, Value};

use super::{cells::CellError, values::is_null};

/// The values of these keys in a JSON object; empty where there is none. Text, number and `true` are values. Null is an
/// empty object.
pub(super) fn values(
    json: &str,
    keys: &[String],
    values: &mut Vec<String>,
) -> Result<(), CellError> {
    clear(keys, values);
    if is_null(json) {
        return Ok(());
    }
    let object: Map<String, Value> =
        serde_json::from_str(json).map_err(|_| CellError("is no JSON object".to_owned()))?;
    for (key, value) in keys.iter().zip(values) {
        match object.get(key.as_str()) {
            Some(Value::String(text)) => value.push_str(text),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => value.push_str(&other.to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// As many empty values as there are keys.
pub(super) fn clear(keys: &[String], values: &mut Vec<String>) {
    values.resize(keys.len(), String::new());
    values.iter_mut().for_each(String::clear);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_number_and_true_are_values() {
        let keys = ["team", "cost centre", "n", "on", "none", "list"].map(str::to_owned);
        let mut found = vec!["left over".to_owned()];
        let json = r#"{"n":1.50,"team":"web","on":true,"none":null,"cost centre":"a\"b","list":[1],"x":{"y":1}}"#;
        values(json, &keys, &mut found).unwrap();
        assert_eq!(found, ["web", "a\"b", "1.5", "true", "", ""]);
        for json in ["", "NULL", "null", "{}"] {
            values(json, &keys, &mut found).unwrap();
            assert_eq!(found, [""; 6]);
        }
        for json in ["[]", "team=web", "{\"team\":", "7", "{} {}"] {
            let error = values(json, &keys, &mut found).unwrap_err();
            assert_eq!(error.0, "is no JSON object", "{json}");
        }
    }
}
