//! Tests of the backoff.

use super::*;

#[test]
fn ceiling_doubles_up_to_the_longest() {
    for (attempt, want) in [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 4),
        (4, 8),
        (5, 15),
        (u32::MAX, 15),
    ] {
        assert_eq!(
            Backoff::REQUEST.ceiling(attempt),
            Duration::from_secs(want),
            "{attempt}"
        );
    }
}

#[test]
fn waits_spread_over_all_below_the_ceiling() {
    for attempt in 1..6 {
        let ceiling = Backoff::REQUEST.ceiling(attempt);
        let waits: Vec<_> = (0..1000).map(|_| Backoff::REQUEST.wait(attempt)).collect();
        assert!(waits.iter().all(|wait| *wait <= ceiling), "{attempt}");
        let fifths = [0, 1, 2, 3, 4].map(|fifth| {
            let of = ceiling / 5 * fifth..=ceiling / 5 * (fifth + 1);
            waits.iter().any(|wait| of.contains(wait))
        });
        assert_eq!(fifths, [true; 5], "{attempt}");
    }
}
