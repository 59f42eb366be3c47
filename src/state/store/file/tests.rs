//! The bytes of a state file: the format is stable, and invalid bytes are rejected.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    charge::Month,
    error::Reason,
    exposition::Rendered,
    state::store::tests::states::{
        a_little_of_everything, assert_same, play, polls, with_additions,
    },
    view::{budgets::BudgetSet, view},
};

const WIDTH: usize = 3;
const IMPLAUSIBLE: &str = "the number of rows of 2025-02 fell from 20 to 3, which is held back until two more answers agree";
const FINGERPRINT_OF_TESTS: Uuid = Uuid::from_u128(7);

fn decoded(bytes: &[u8]) -> Decoded {
    decode(bytes, FINGERPRINT_OF_TESTS, WIDTH)
}

fn example() -> AccountState {
    let (_, mut state, _) = play(&a_little_of_everything());
    // The text in the kept file. Messages are stored as they were logged.
    for part in state.parts.values_mut() {
        let part = Arc::make_mut(part);
        if let Some(failure) = &mut part.failure
            && failure.reason == Reason::Implausible
        {
            failure.message = IMPLAUSIBLE.to_owned();
        }
    }
    let parts = || state.parts.values();
    assert!(parts().any(|part| !part.held.is_empty()));
    assert!(parts().any(|part| part.baseline.is_some()));
    assert!(parts().any(|part| !part.ended_seats.is_empty()));
    assert!(parts().any(|part| part.failure.is_some()));
    assert!(!state.forecast_records.is_empty());
    state
}

/// The example with everything that version 1 does not have.
fn complete_example() -> AccountState {
    with_additions(example(), "2025-02-23T12:00:00Z".parse().unwrap())
}

#[test]
fn version_1_is_read_without_the_additions() {
    let kept = include_bytes!("../../../../tests/fixtures/state/v1.state");
    let Decoded::State(read) = decoded(kept) else {
        panic!("the kept file is read");
    };
    assert_same(&read, &example());
    assert!(read.growth.is_empty());
    let months = read
        .parts
        .values()
        .flat_map(|part| part.months.keys().map(move |month| (part, *month)));
    for reported in months.filter_map(|(part, month)| part.reported(month)) {
        assert_eq!(
            (&reported.delivery, reported.marks.provisional),
            (&None, false)
        );
    }
    let mut longer = kept.to_vec();
    longer.push(0);
    write_header(&mut longer);
    longer[8] = 1;
    assert!(
        matches!(decoded(&longer), Decoded::Damaged(_)),
        "nothing follows"
    );
}

#[test]
fn version_2_is_read_and_written_unchanged() {
    let kept = include_bytes!("../../../../tests/fixtures/state/v2.state");
    let state = complete_example();
    let Decoded::State(read) = decoded(kept) else {
        panic!("the kept file is read");
    };
    assert_same(&read, &state);
    // If only this fails, old files can still be read, so the version may stay.
    assert_eq!(encode(&state, FINGERPRINT_OF_TESTS).unwrap(), kept);
}

#[test]
fn additions_to_unknown_months_are_rejected() {
    let mut other = complete_example();
    let plain = StoredAccount::from(&other);
    let mut bytes = vec![0; HEADER];
    bytes.extend_from_slice(FINGERPRINT_OF_TESTS.as_bytes());
    let mut bytes = postcard::to_extend(&plain, bytes).unwrap();
    let part = other.parts.remove("account").unwrap();
    other.parts.insert("unknown".to_owned(), part);
    bytes = postcard::to_extend(&StoredAdditions::from(&other), bytes).unwrap();
    write_header(&mut bytes);
    assert!(matches!(decoded(&bytes), Decoded::Damaged(_)));
}

#[test]
fn any_flipped_bit_or_truncation_is_detected() {
    let state = complete_example();
    let good = encode(&state, FINGERPRINT_OF_TESTS).unwrap();
    let Decoded::State(read) = decoded(&good) else {
        panic!("a good file is read");
    };
    assert_same(&read, &state);
    let unusable = |bytes: &[u8]| {
        let found = decoded(bytes);
        matches!(found, Decoded::Damaged(_) | Decoded::NewerVersion(_))
    };
    let mut bytes = good.clone();
    for position in 0..bytes.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            bytes[position] ^= mask;
            assert!(unusable(&bytes), "byte {position}, mask {mask}");
            bytes[position] ^= mask;
        }
        assert!(unusable(&good[..position]), "cut at {position}");
    }
    bytes.push(0);
    assert!(unusable(&bytes), "one byte more");
    // As after a crash before the content was written, but not the length.
    let half = good.len() / 2;
    bytes = [&good[..half], &vec![0; good.len() - half]].concat();
    assert!(unusable(&bytes), "zeros from the middle on");
}

#[test]
fn counts_beyond_the_file_size_are_rejected() {
    let good = encode(&complete_example(), FINGERPRINT_OF_TESTS).unwrap();
    let most: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for position in HEADER + FINGERPRINT..good.len() {
        for count in [most, &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0x7f]] {
            let mut bytes = [&good[..position], count, &good[position + 1..]].concat();
            write_header(&mut bytes);
            harmless(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn malicious_file_is_rejected_or_harmless(
        polls in polls(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        width in 0_usize..5,
    ) {
        let (_, state, now) = play(&polls);
        let state = with_additions(state, now);
        let mut bytes = encode(&state, FINGERPRINT_OF_TESTS).unwrap();
        for (at, byte) in changes {
            let content = &mut bytes[HEADER + FINGERPRINT..];
            let at = at.index(content.len());
            content[at] = byte;
        }
        write_header(&mut bytes);
        harmless(&bytes);
        if width != WIDTH
            && let Decoded::State(state) = decode(&bytes, FINGERPRINT_OF_TESTS, width)
        {
            // Only tables that fit both widths.
            prop_assert!(state.label_table.all_sets().len().is_multiple_of(width));
        }
    }
}

/// Checks that a decoded state, if any, can be pruned, rendered and encoded again.
fn harmless(bytes: &[u8]) {
    if let Decoded::State(mut state) = decoded(bytes) {
        let (account, _, now) = play(&[]);
        state.prune(Month::at(now, &account.zone));
        let account = account.into();
        let view = view(&account, &state.clone().into(), now);
        assert!(!Rendered::new(&[view].into(), &BudgetSet::default(), &[]).is_empty());
        encode(&state, FINGERPRINT_OF_TESTS).unwrap();
    }
}

#[test]
fn fingerprint_is_checked_before_decoding() {
    let good = encode(&example(), FINGERPRINT_OF_TESTS).unwrap();
    assert!(matches!(
        decode(&good, Uuid::from_u128(8), WIDTH),
        Decoded::OtherConfiguration
    ));
    let mut bytes = good[..HEADER + FINGERPRINT].to_vec();
    write_header(&mut bytes);
    assert!(matches!(
        decode(&bytes, Uuid::from_u128(8), WIDTH),
        Decoded::OtherConfiguration
    ));
    assert!(matches!(decoded(&bytes), Decoded::Damaged(_)));
}

#[test]
fn later_version_is_recognised_whatever_follows() {
    for rest in [&b""[..], b"x", &[0; 100]] {
        let bytes = [MAGIC, &[3, 0, 0, 0][..], rest].concat();
        assert!(
            matches!(decoded(&bytes), Decoded::NewerVersion(3)),
            "{rest:?}"
        );
    }
    let bytes = [MAGIC, &[0; 40][..]].concat();
    assert!(matches!(decoded(&bytes), Decoded::Damaged(_)));
}
