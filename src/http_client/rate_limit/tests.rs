//! Tests of spacing, concurrency and the pauses that a provider requests.

use super::*;

#[tokio::test(start_paused = true)]
async fn requests_are_spaced_evenly() {
    let limiter = RateLimiter::new(4.0, 8);
    let start = now();
    for number in 0..8 {
        drop(limiter.acquire().await.unwrap());
        assert_eq!(start.elapsed(), Duration::from_millis(250 * number));
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_limited() {
    let limiter = RateLimiter::new(1000.0, 2);
    let _one = limiter.acquire().await.unwrap();
    let two = limiter.acquire().await.unwrap();
    let third = tokio::time::timeout(Duration::from_hours(1), limiter.acquire()).await;
    assert!(third.is_err());
    drop(two);
    drop(limiter.acquire().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn pause_delays_waiting_requests() {
    let limiter = RateLimiter::new(1.0, 8);
    let start = now();
    drop(limiter.acquire().await.unwrap());
    let (waiting, ()) = tokio::join!(limiter.acquire(), async {
        limiter.pause(Duration::from_secs(10));
    });
    drop(waiting.unwrap());
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn long_pause_is_returned_and_ends() {
    let limiter = RateLimiter::new(1000.0, 8);
    limiter.pause(Duration::from_mins(1));
    limiter.pause(Duration::from_secs(1));
    assert_eq!(limiter.acquire().await.unwrap_err(), Duration::from_mins(1));
    tokio::time::advance(Duration::from_secs(46)).await;
    let start = now();
    drop(limiter.acquire().await.unwrap());
    assert_eq!(start.elapsed(), Duration::from_secs(14));
}
