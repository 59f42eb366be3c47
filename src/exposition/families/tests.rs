//! Names and HELP texts follow the convention.

use std::collections::BTreeSet;

use super::*;

#[test]
fn names_and_help_texts_follow_the_convention() {
    let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len(), "each family is listed once");
    for family in FAMILIES {
        assert!(!family.help.contains(['\n', '\\', '"']), "{}", family.name);
        assert!(family.help.ends_with('.'), "{}", family.name);
        assert_eq!(
            family.name.ends_with("_total"),
            family.kind == Kind::Counter,
            "{}",
            family.name
        );
    }
}

#[test]
fn families_of_charges_are_described_as_cached() {
    for (family, ..) in of_charges() {
        assert!(
            family.help.ends_with("Cached from the last poll."),
            "{}",
            family.name
        );
    }
}
