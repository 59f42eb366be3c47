//! Failures, signals, pauses, invalid flags and outputs, and the progress bar.

use super::*;

#[tokio::test]
async fn failed_part_leaves_the_file_unchanged() {
    let provider = Scripted::new(MONTHLY, MonthFetch::Both);
    provider.lists(&["good", "bad"]);
    provider.responds("bad", |ask| {
        if ask.months[0].to_string() == "2025-04" {
            return Err(
                ProviderError::new(Reason::Forbidden, "the provider said no").with_status(403),
            );
        }
        Ok(Vec::new())
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("past.om");
    std::fs::write(&file, "what was there").unwrap();
    let mut flags = flags(date(2025, 4, 1), date(2025, 6, 2), 24);
    flags.output = Some(file.clone());
    let (_stop, stopped) = watch::channel(false);
    let error = run(
        vec![berlin(&provider)],
        &flags,
        &clock(),
        &Progress::default(),
        stopped,
    )
    .await
    .unwrap_err();
    assert_eq!(
        format!("{:#}", anyhow::Error::from(error)),
        "account main, part bad, month 2025-04: failed, so nothing is written: the provider said no"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there");
    assert_eq!(names_in(folder.path()), ["past.om"]);
}

#[tokio::test]
async fn signal_leaves_no_file() {
    let provider = Scripted::new(DAILY, MonthFetch::Each);
    provider.returns("account", around_march());
    let folder = tempfile::tempdir().unwrap();
    let mut flags = flags(date(2025, 3, 30), date(2025, 4, 2), 12);
    flags.output = Some(folder.path().join("past.om"));
    let (stop, stopped) = watch::channel(false);
    stop.send(true).unwrap();
    let result = run(
        vec![berlin(&provider)],
        &flags,
        &clock(),
        &Progress::default(),
        stopped,
    )
    .await;
    assert!(matches!(result, Err(BackfillError::Stopped)), "{result:?}");
    assert_eq!(names_in(folder.path()), [""; 0]);
}

fn names_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let provider = Scripted::new(DAILY, MonthFetch::Each);
    let refused = Mutex::new(2);
    provider.responds("account", move |_| {
        let mut left = refused.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            let error = ProviderError::new(Reason::RateLimited, "too many requests");
            return Err(error.with_retry_after(Some(Duration::from_mins(10))));
        }
        Ok(vec![cost(day("2025-03-30"), "a", 1.0)])
    });
    #[expect(clippy::disallowed_methods, reason = "the test measures the pauses")]
    let began = tokio::time::Instant::now();
    let text = written(
        vec![berlin(&provider)],
        flags(date(2025, 3, 30), date(2025, 3, 31), 24),
    )
    .await;
    assert!(text.contains("month_to_date"));
    // Two months are asked for side by side; each was refused once.
    assert!(began.elapsed() >= Duration::from_mins(10));
    assert!(began.elapsed() < Duration::from_mins(30));

    provider.responds("account", |_| {
        let error = ProviderError::new(Reason::RateLimited, "too many requests");
        Err(error.with_retry_after(Some(Duration::from_hours(1))))
    });
    let (_folder, _, result) = to_file(
        vec![berlin(&provider)],
        flags(date(2025, 3, 30), date(2025, 3, 31), 24),
    )
    .await;
    assert!(
        matches!(result, Err(BackfillError::Part { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn invalid_flags_fail_before_any_request() {
    let named = |name: &str, measures| Account {
        name: name.to_owned(),
        ..berlin(&Scripted::new(measures, MonthFetch::Both))
    };
    let accounts = || vec![named("days", DAILY), named("seats", SEATS)];
    let base = || flags(date(2025, 3, 30), date(2025, 4, 2), 12);
    for (flags, want) in [
        (
            cli::Backfill {
                to: date(2025, 3, 30),
                ..base()
            },
            "--from 2025-03-30 must be before --to 2025-03-30, which is the day after the last day",
        ),
        (
            cli::Backfill {
                from: date(2015, 1, 1),
                ..base()
            },
            "--from and --to must be at most 3660 days apart",
        ),
        (
            cli::Backfill {
                account: Some("other".to_owned()),
                ..base()
            },
            "there is no account other in the configuration or in this shard",
        ),
        (
            cli::Backfill {
                account: Some("seats".to_owned()),
                ..base()
            },
            "seats: reports only current values, such as licences, so there is no past to write",
        ),
        (
            cli::Backfill {
                to: date(2025, 6, 19),
                ..base()
            },
            "account days: 2025-06-18 is not complete before 2025-06-19T04:00:00Z; until then --to must be 2025-06-18 or earlier",
        ),
        (
            cli::Backfill {
                labels: vec!["project=x".parse().unwrap()],
                ..base()
            },
            "--label project: the series have this label already",
        ),
        (
            cli::Backfill {
                labels: vec!["job=x".parse().unwrap(), "job=y".parse().unwrap()],
                ..base()
            },
            "--label job: the series have this label already",
        ),
    ] {
        let (folder, _, result) = to_file(accounts(), flags).await;
        assert_eq!(result.unwrap_err().to_string(), want);
        assert_eq!(names_in(folder.path()), [""; 0]);
    }
    // The day before is closed since six o'clock.
    let (_folder, _, result) = to_file(
        accounts(),
        cli::Backfill {
            to: date(2025, 6, 18),
            ..base()
        },
    )
    .await;
    // Nothing was charged, so that only the billing months are told: their starts and ends.
    assert_eq!(result.unwrap().series, 2);
}

#[tokio::test]
async fn output_must_be_a_regular_file() {
    let provider = Scripted::new(DAILY, MonthFetch::Each);
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().to_owned(),
        "/dev/null".into(),
        folder.path().join("missing/past.om"),
    ] {
        let mut flags = flags(date(2025, 3, 30), date(2025, 4, 2), 12);
        flags.output = Some(path.clone());
        let (_stop, stopped) = watch::channel(false);
        let result = run(
            vec![berlin(&provider)],
            &flags,
            &clock(),
            &Progress::default(),
            stopped,
        )
        .await;
        assert!(
            matches!(result, Err(BackfillError::Output { .. })),
            "{}: {result:?}",
            path.display()
        );
    }
    assert!(provider.requests.lock().unwrap().is_empty());
}

#[derive(Clone, Default)]
struct Terminal(Arc<Mutex<Vec<u8>>>);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn progress_bar_fills_and_is_removed() {
    let provider = Scripted::new(DAILY, MonthFetch::Each);
    provider.returns("account", around_march());
    let folder = tempfile::tempdir().unwrap();
    let mut flags = flags(date(2025, 3, 30), date(2025, 4, 2), 12);
    flags.output = Some(folder.path().join("past.om"));
    let terminal = Terminal::default();
    let (_stop, stopped) = watch::channel(false);
    run(
        vec![berlin(&provider)],
        &flags,
        &clock(),
        &Progress::on(terminal.clone()),
        stopped,
    )
    .await
    .unwrap();
    let drawn = String::from_utf8(terminal.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = drawn.split("\r\x1b[K").skip(1).collect();
    assert!(
        lines[0].starts_with("[########................] fetched 1 of 3: main 2025-0"),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("[########################] fetched 3 of 3: main 2025-0"),
        "{lines:?}"
    );
    assert!(
        lines[3].ends_with("] wrote 0.0 million samples"),
        "{lines:?}"
    );
    assert_eq!(lines.last(), Some(&""));
}
