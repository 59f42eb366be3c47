//! Which shard a process is, and which accounts belong to it.

use super::*;

fn read(
    index: Option<u32>,
    count: Option<u32>,
    variables: &[(&str, &str)],
) -> Result<Option<String>, String> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let mut diagnostics = Diagnostics::default();
    let shard = Shard::read(ShardFlags { index, count }, &variables, &mut diagnostics);
    if diagnostics.is_empty() {
        return Ok(shard.map(|shard| shard.to_string()));
    }
    Err(diagnostics
        .into_report("file".into(), Vec::new())
        .to_string())
}

#[test]
fn flags_override_pod_ordinal() {
    let pod = ("POD_NAME", "cloudspend-1");
    let host = ("HOSTNAME", "cloudspend-exporter-2");
    for (index, count, variables, want) in [
        (None, None, &[pod, host][..], None),
        (Some(0), Some(3), &[pod, host], Some("0/3")),
        (None, Some(3), &[pod, host], Some("1/3")),
        (None, Some(3), &[host], Some("2/3")),
        (None, Some(3), &[("POD_INDEX", "0"), pod], Some("0/3")),
        (None, Some(3), &[("POD_INDEX", ""), pod], Some("1/3")),
        (None, Some(12), &[("POD_NAME", "a-b-11")], Some("11/12")),
        (Some(0), Some(1), &[], Some("0/1")),
    ] {
        assert_eq!(
            read(index, count, variables),
            Ok(want.map(str::to_owned)),
            "{index:?} {count:?} {variables:?}"
        );
    }
}

#[test]
fn invalid_shard_is_reported_with_its_place() {
    let needs_index = "--shard.count: needs --shard.index, or the ordinal of a StatefulSet's pod in POD_INDEX, POD_NAME or HOSTNAME";
    let no_ordinal = "does not end in - and a number, as the name of a StatefulSet's pod does; set --shard.index to override it";
    for (index, count, variables, want) in [
        (
            Some(0),
            None,
            &[][..],
            "--shard.index: needs --shard.count, the number of shards",
        ),
        (
            Some(0),
            Some(0),
            &[],
            "--shard.count: must be from 1 to 1000",
        ),
        (
            Some(0),
            Some(1001),
            &[],
            "--shard.count: must be from 1 to 1000",
        ),
        (
            Some(3),
            Some(3),
            &[],
            "--shard.index: there is no shard 3 of 3; allowed are 0 to 2",
        ),
        (None, Some(3), &[], needs_index),
        (
            None,
            Some(3),
            &[("POD_NAME", "cloudspend-3")],
            "environment variable POD_NAME: there is no shard 3 of 3; allowed are 0 to 2",
        ),
        (
            None,
            Some(3),
            &[("POD_INDEX", "one"), ("POD_NAME", "cloudspend-1")],
            "environment variable POD_INDEX: must be a number, counted from 0; set --shard.index to override it",
        ),
        (
            None,
            Some(3),
            &[("HOSTNAME", "localhost")],
            &format!("environment variable HOSTNAME: {no_ordinal}"),
        ),
        (
            None,
            Some(3),
            &[("POD_NAME", "cloudspend-7d9f-x2x5z"), ("HOSTNAME", "c-1")],
            &format!("environment variable POD_NAME: {no_ordinal}"),
        ),
        (
            None,
            Some(3),
            &[("POD_NAME", "cloudspend-+1")],
            &format!("environment variable POD_NAME: {no_ordinal}"),
        ),
    ] {
        assert_eq!(
            read(index, count, variables),
            Err(want.to_owned()),
            "{variables:?}"
        );
    }
}

#[test]
fn owner_of_an_account_never_changes() {
    // As computed by `uuid.uuid5` of Python. An account that moves to another shard loses its state.
    for (name, want) in [
        ("otc-main", [0, 0, 0, 3, 3, 89]),
        ("azure-enube", [0, 0, 0, 0, 0, 58]),
        ("licences", [0, 0, 0, 3, 7, 93]),
        ("operator", [0, 1, 1, 1, 1, 13]),
        ("simulations", [0, 1, 1, 1, 6, 15]),
        ("Ångström GmbH", [0, 0, 2, 2, 7, 77]),
    ] {
        let owners = [1, 2, 3, 5, 8, 100].map(|count| owner(name, count));
        assert_eq!(owners, want, "{name}");
    }
}

#[test]
fn scaling_out_moves_only_to_the_new_shard() {
    let names: Vec<String> = (0..2000)
        .map(|number| format!("account-{number}"))
        .collect();
    for count in 1..=8 {
        let mut moved = 0;
        for name in &names {
            let (before, after) = (owner(name, count), owner(name, count + 1));
            if before != after {
                assert_eq!(after, count, "{name} moves to another than the new shard");
                moved += 1;
            }
        }
        let share = names.len() / (count as usize + 1);
        assert!(
            (share * 8 / 10..=share * 12 / 10).contains(&moved),
            "{moved} moved from {count} shards to one more, {share} are its share"
        );
    }
}
