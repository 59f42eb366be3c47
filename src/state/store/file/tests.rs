//! The bytes of a state file: the format is stable, and invalid bytes are rejected.

use proptest::prelude::*;

use super::*;
use crate::{
    charge::Month,
    exposition::Rendered,
    state::store::tests::states::{a_little_of_everything, assert_same, play, polls},
    view::{budgets::Money, view},
};

const WIDTH: usize = 3;
const FINGERPRINT_OF_TESTS: Uuid = Uuid::from_u128(7);

fn decoded(bytes: &[u8]) -> Decoded {
    decode(bytes, FINGERPRINT_OF_TESTS, WIDTH)
}

fn example() -> AccountState {
    let (_, state, _) = play(&a_little_of_everything());
    let parts = || state.parts.values();
    assert!(parts().any(|part| part.held.is_some()));
    assert!(parts().any(|part| part.baseline.is_some()));
    assert!(parts().any(|part| !part.ended_seats.is_empty()));
    assert!(parts().any(|part| part.failure.is_some()));
    assert!(!state.forecast_records.is_empty());
    state
}

#[test]
fn version_1_is_read_and_written_as_it_ever_was() {
    let kept = include_bytes!("../../../../tests/fixtures/state/v1.state");
    let state = example();
    let Decoded::State(read) = decoded(kept) else {
        panic!("the kept file is read");
    };
    assert_same(&read, &state);
    // If this fails and the line above does not, the version may stay.
    assert_eq!(encode(&state, FINGERPRINT_OF_TESTS).unwrap(), kept);
}

#[test]
fn damage_at_any_bit_and_any_length_is_noticed() {
    let state = example();
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
    // As a disk does that has the length already and not the content.
    let half = good.len() / 2;
    bytes = [&good[..half], &vec![0; good.len() - half]].concat();
    assert!(unusable(&bytes), "zeros from the middle on");
}

#[test]
fn counts_that_no_file_can_hold_are_refused() {
    let good = encode(&example(), FINGERPRINT_OF_TESTS).unwrap();
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
    fn a_file_made_by_an_enemy_is_refused_or_harmless(
        polls in polls(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        width in 0_usize..5,
    ) {
        let (_, state, _) = play(&polls);
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

/// Whatever is taken out of a file can be pruned, shown and written again.
fn harmless(bytes: &[u8]) {
    if let Decoded::State(mut state) = decoded(bytes) {
        let (account, _, now) = play(&[]);
        state.prune(Month::at(now, &account.zone));
        let account = account.into();
        let view = view(&account, &state.clone().into(), now);
        assert!(!Rendered::new(&[view].into(), &Money::default(), &[]).is_empty());
        encode(&state, FINGERPRINT_OF_TESTS).unwrap();
    }
}

#[test]
fn a_fingerprint_is_compared_before_anything_is_read() {
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
fn a_file_of_a_later_version_may_look_otherwise_behind_its_number() {
    for rest in [&b""[..], b"x", &[0; 100]] {
        let bytes = [MAGIC, &[2, 0, 0, 0][..], rest].concat();
        assert!(
            matches!(decoded(&bytes), Decoded::NewerVersion(2)),
            "{rest:?}"
        );
    }
    let bytes = [MAGIC, &[0; 40][..]].concat();
    assert!(matches!(decoded(&bytes), Decoded::Damaged(_)));
}
