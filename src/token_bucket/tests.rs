//! Tests of bursts, refills, reservations and intervals out of range.

use tokio::time::advance;

use super::*;

#[tokio::test(start_paused = true)]
async fn burst_is_taken_and_then_one_per_interval() {
    let mut bucket = TokenBucket::new(Duration::from_millis(500), 3);
    let mut taken = || (0..10).filter(|_| bucket.try_take()).count();
    assert_eq!(taken(), 3);
    advance(Duration::from_millis(499)).await;
    assert_eq!(taken(), 0);
    advance(Duration::from_millis(1)).await;
    assert_eq!(taken(), 1);
    advance(Duration::from_hours(1)).await;
    assert_eq!(taken(), 3);
}

#[tokio::test(start_paused = true)]
async fn reservations_follow_the_burst_evenly() {
    let start = now();
    let mut bucket = TokenBucket::new(Duration::from_millis(500), 3);
    let waits: Vec<_> = (0..5)
        .map(|_| (bucket.reserve(start) - start).as_millis())
        .collect();
    assert_eq!(waits, [0, 0, 0, 500, 1000]);
    assert!(!bucket.try_take());
}

#[tokio::test(start_paused = true)]
async fn later_reservation_moves_those_after_it() {
    let start = now();
    let mut bucket = TokenBucket::new(Duration::from_secs(1), 1);
    let later = start + Duration::from_secs(10);
    assert_eq!(bucket.reserve(later), later);
    assert_eq!(bucket.reserve(start), later + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn interval_beyond_the_clock_does_not_panic() {
    let start = now();
    let mut bucket = TokenBucket::new(Duration::MAX, u32::MAX);
    assert!(bucket.try_take());
    let _ = bucket.reserve(start);
    let _ = bucket.reserve(start);
    let mut without_burst = TokenBucket::new(Duration::ZERO, 0);
    assert!(without_burst.try_take());
    assert_eq!(without_burst.reserve(start), start);
}
