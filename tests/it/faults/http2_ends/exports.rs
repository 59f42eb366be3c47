//! A file of a web server over HTTP/2: CSV has no end of its own, so that of the stream counts.

use super::*;

/// A file with so many rows of a euro.
fn file(rows: usize) -> String {
    let header = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName\n";
    let row = |number: usize| {
        format!(
            "1,EUR,2024-07-01T00:00:00Z,2024-08-01T00:00:00Z,2024-07-02T00:00:00Z,Usage,{number}\n"
        )
    };
    let rows: String = (0..rows).map(row).collect();
    format!("{header}{rows}")
}

/// A stream that is reset without an error between two rows looks like a shorter file. Thirty rows are not forty.
#[test]
fn file_that_ends_early_keeps_its_values() {
    let name = "exports::file_that_ends_early_keeps_its_values";
    trusting(name, async |folder| {
        let server = Http2Server::start(&folder).await;
        let section = serde_json::json!({
            "provider": "focus",
            "location": format!("{}/api/focus", server.url()),
            "costs": ["billed"],
        });
        let account = TestAccount::new(&section, RetryLimits::once());
        let billed = || {
            account
                .total(Measure::BilledCost, Window::MonthToDate)
                .to_string()
        };
        let whole = file(40);
        server.now(move |_, stream| {
            Form::new(whole.len(), End::Marked).answer(stream, whole.as_bytes())
        });
        account.poll().await;
        assert_eq!((account.failure(), billed()), (None, "40".to_owned()));
        let whole = file(41);
        let thirty = file(30).len();
        for form in [
            Form::new(thirty, End::Reset(NO_ERROR)),
            Form::new(thirty, End::Reset(NO_ERROR)).promising(0),
            Form::new(thirty, End::Reset(CANCEL)),
            Form::new(thirty, End::GoAway(NO_ERROR)),
            Form::new(thirty, End::Connection(After::Close)),
            Form::new(thirty, End::Marked).promising(0),
            Form::new(whole.len(), End::Reset(NO_ERROR)),
        ] {
            let body = whole.clone();
            server.now(move |_, stream| form.answer(stream, body.as_bytes()));
            account.poll().await;
            assert_eq!(
                account.reason(),
                Some(Truncated),
                "{form:?}: {:?}",
                account.failure()
            );
            assert_eq!(billed(), "40", "{form:?}");
        }
        for form in [
            Form::new(whole.len(), End::Marked),
            Form::new(whole.len(), End::Trailers).promising(0),
        ] {
            let body = whole.clone();
            server.now(move |_, stream| form.answer(stream, body.as_bytes()));
            account.poll().await;
            assert_eq!(
                (account.failure(), billed()),
                (None, "41".to_owned()),
                "{form:?}"
            );
        }
    });
}
