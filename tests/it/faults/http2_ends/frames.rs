//! Frames between and around a response, and what is retried.

use super::*;

/// Forty rows of a euro, of which an answer holds only the first few.
fn rows(count: usize) -> String {
    let rows = (0..count).map(|row| {
        format!("{{\"amount\":1,\"consumption_date\":\"2024-07-01\",\"product\":\"{row}\"}}\n")
    });
    rows.collect()
}

/// A proxy whose upstream breaks resets the stream without an error: to HTTP's libraries, an answer that ended early
/// on purpose. Thirty rows are not forty.
#[test]
fn rows_before_a_no_error_reset_are_incomplete() {
    let name = "frames::rows_before_a_no_error_reset_are_incomplete";
    trusting(name, async |folder| {
        let secret = secret("s3cret-of-the-account");
        let server = Http2Server::start(&folder).await;
        let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
        let all = rows(40);
        let thirty = rows(30).len();
        let mut wrong = Vec::new();
        for form in [
            Form::new(thirty, End::Reset(NO_ERROR)),
            Form::new(thirty, End::Reset(NO_ERROR)).promising(0),
            Form::new(thirty, End::GoAway(NO_ERROR)),
            Form::new(all.len(), End::Reset(NO_ERROR)),
            Form::new(0, End::Reset(NO_ERROR)),
        ] {
            let account = TestAccount::new(&section, RetryLimits::once());
            let mut totals = Vec::new();
            for form in [Form::new(all.len(), End::Marked), form] {
                let body = all.clone();
                server.now(move |seen, stream| {
                    if (OTC_LINES.target)(seen) {
                        form.answer(stream, body.as_bytes())
                    } else {
                        Answer::good(stream, b"")
                    }
                });
                account.poll().await;
                let total = account.total(Measure::BilledCost, Window::MonthToDate);
                totals.push((total.round(), account.reason()));
            }
            if totals != [(40.0, None), (40.0, Some(Truncated))] {
                wrong.push(format!("{form:?}: {totals:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn broken_stream_is_retried() {
    trusting("frames::broken_stream_is_retried", async |folder| {
        for case in [OTC_LINES, ACTIVEPLATFORM, LICENCES] {
            let limits = RetryLimits {
                request: times(2),
                ..RetryLimits::once()
            };
            let mut api = FaultyApi::new(&case, limits, &folder).await;
            for end in [
                End::Reset(NO_ERROR),
                End::Reset(CANCEL),
                End::GoAway(NO_ERROR),
                End::Connection(After::Close),
            ] {
                let before = api.account.retries();
                let mut first = true;
                api.poll(move |_, stream, body| {
                    if std::mem::take(&mut first) {
                        Form::new(body.len() / 2, end).answer(stream, body)
                    } else {
                        Answer::good(stream, body)
                    }
                })
                .await;
                api.expect_next(&format!("{}, {end:?}", case.name));
                assert_eq!(api.account.retries(), before + 1, "{}, {end:?}", case.name);
                api.last = api.last.other();
            }
        }
    });
}

/// The frames of a body on a stream.
type Framing = fn(u32, &[u8]) -> Vec<Vec<u8>>;

/// Frames that may come between those of a response and change nothing of it.
#[test]
fn whole_response_is_accepted_with_any_frames_between() {
    let name = "frames::whole_response_is_accepted_with_any_frames_between";
    trusting(name, async |folder| {
        for case in [OTC_LINES, ACTIVEPLATFORM, LICENCES] {
            let mut api = FaultyApi::new(&case, RetryLimits::once(), &folder).await;
            let forms: [Framing; 5] = [
                // Informational heads come first.
                |stream, body| {
                    vec![
                        head(stream, NO_FLAGS, "103", &[("link", "</a>".to_owned())]),
                        head(stream, NO_FLAGS, "200", &[]),
                        data(stream, END_STREAM, body),
                    ]
                },
                // A connection that is to end still ends its answer.
                |stream, body| {
                    vec![
                        head(stream, NO_FLAGS, "200", &[]),
                        data(stream, NO_FLAGS, &body[..body.len() / 2]),
                        go_away(stream, NO_ERROR),
                        data(stream, END_STREAM, &body[body.len() / 2..]),
                    ]
                },
                // Empty pieces and pieces of nothing but padding.
                |stream, body| {
                    vec![
                        head(stream, NO_FLAGS, "200", &[]),
                        data(stream, NO_FLAGS, b""),
                        data(stream, NO_FLAGS, body),
                        padded(stream, NO_FLAGS, b"", 9),
                        padded(stream, END_STREAM, b"", 9),
                    ]
                },
                // Each byte by itself.
                |stream, body| {
                    let mut frames = vec![head(stream, NO_FLAGS, "200", &[])];
                    frames.extend(body.iter().map(|&byte| data(stream, NO_FLAGS, &[byte])));
                    frames.push(trailers(stream));
                    frames
                },
                // A reset after the end, and the end of the connection.
                |stream, body| {
                    vec![
                        head(stream, NO_FLAGS, "200", &[]),
                        data(stream, END_STREAM, body),
                        reset(stream, CANCEL),
                        go_away(stream, PROTOCOL_ERROR),
                    ]
                },
            ];
            for (number, form) in forms.into_iter().enumerate() {
                api.poll(move |_, stream, body| Answer::kept(form(stream, body).concat()))
                    .await;
                api.expect_next(&format!("{}, form {number}", case.name));
                api.last = api.last.other();
            }
        }
    });
}

/// The frames of a good answer, cut at each of their bytes by the end of the connection.
#[test]
fn frames_cut_at_any_byte_keep_last_values() {
    let name = "frames::frames_cut_at_any_byte_keep_last_values";
    trusting(name, async |folder| {
        for case in [OTC_LINES, LICENCES] {
            let mut api = FaultyApi::new(&case, RetryLimits::once(), &folder).await;
            let frames = |stream: u32, body: &[u8]| {
                Form::new(body.len(), End::MarkedEmpty)
                    .answer(stream, body)
                    .frames
            };
            let body = api.body().await;
            for at in 0..=frames(1, &body).len() {
                for after in [After::Close, After::Cut] {
                    api.poll(move |_, stream, body| Answer {
                        frames: frames(stream, body)[..at].to_vec(),
                        after,
                    })
                    .await;
                    let place = format!("{}, {at}, {after:?}", case.name);
                    if at == frames(1, &body).len() {
                        api.expect_next(&place);
                    } else {
                        api.expect_last(&place, &[Truncated, Unreachable]);
                    }
                    let next = api.last.other();
                    api.good(next).await;
                }
            }
        }
    });
}

/// A token that may have been cut is no token.
#[test]
fn cut_login_is_refused() {
    trusting("frames::cut_login_is_refused", async |folder| {
        for case in [ENUBE, LICENCES] {
            let secret = secret("s3cret-of-the-account");
            let server = Http2Server::start(&folder).await;
            let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
            for form in [
                Form::new(0, End::Reset(NO_ERROR)),
                Form::new(20, End::Reset(NO_ERROR)),
                Form::new(20, End::Reset(NO_ERROR)).promising(0),
                Form::new(usize::MAX, End::Reset(NO_ERROR)),
                Form::new(usize::MAX, End::Reset(NO_ERROR)).promising(1),
                Form::new(usize::MAX, End::GoAway(NO_ERROR)),
            ] {
                let account = TestAccount::new(&section, RetryLimits::once());
                server.now(move |seen, stream| {
                    let body = (case.answer)(seen, Version::One);
                    let is_login = seen.line == "POST /token" || seen.line.ends_with("/auth/login");
                    if is_login {
                        form.answer(stream, body.as_bytes())
                    } else {
                        Answer::good(stream, body.as_bytes())
                    }
                });
                server.lines();
                account.poll().await;
                let place = format!("{}, {form:?}", case.name);
                assert_eq!(account.reason(), Some(Truncated), "{place}");
                assert_eq!(server.lines().len(), 1, "{place}");
            }
        }
    });
}
