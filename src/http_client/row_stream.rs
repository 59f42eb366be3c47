//! The rows of a body, read beside the network: what has arrived is decoded and folded on a blocking thread while more
//! arrives.

use std::{num::NonZero, panic, sync::LazyLock, thread};

use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task,
};

use crate::charge::{SharedSink, Sink};
use crate::json::RowError;
use crate::{
    error::{ProviderError, Reason},
    json::{
        fast_reader::{self, Order},
        row_splitter::{Splitter, TakeRows},
        scalars,
    },
};

/// What becomes of the rows of one answer. It goes along to whatever thread reads them.
pub trait Fold: Send + 'static {
    /// A row as it is sent, borrowed from the body. Its fields are all optional, so that what is missing can be named.
    type Row<'a>: Deserialize<'a>;

    /// Takes one row: charges it and counts it.
    fn fold(&mut self, row: Self::Row<'_>, sink: &mut dyn Sink) -> Result<(), RowError>;
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Read<F> {
    /// What took the rows.
    pub fold: F,
    /// What stood around the rows, with an empty array in their place; empty where they are all there is.
    pub around: Vec<u8>,
}

/// So much is read at once: some hundred microseconds of work, which the handing over costs little of. At the most twice
/// as much of a body is in memory, and what the connection buffers.
const BATCH: usize = 256 * 1024;
/// The most chunks that are read at once, so that many small ones take no more memory than few large ones.
const CHUNKS: usize = 1024;
/// What is less is read where it arrived: another thread would cost more than it spares the others there.
const SMALL: usize = 32 * 1024;

/// As many batches are read at once in the whole program as there are processors, first come first served: however
/// many accounts there are, those who answer scrapes have to share with no more threads than that.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(thread::available_parallelism().map_or(1, NonZero::get)));

/// Chunks of a body that are read at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    chunks: Vec<Bytes>,
    length: usize,
    /// Whether the body ends with it.
    pub(super) last: bool,
}

impl Batch {
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.length += chunk.len();
        self.chunks.push(chunk);
    }

    pub(super) fn is_full(&self) -> bool {
        self.length >= BATCH || self.chunks.len() >= CHUNKS
    }

    /// Waits for a place to read it; none is needed for a small one.
    pub(super) async fn place(&self) -> Option<Place> {
        if self.length <= SMALL {
            return None;
        }
        let place = PLACES.acquire().await;
        Some(place.expect("the semaphore is never closed"))
    }
}

/// One of as many batches as are read at once.
pub(super) type Place = SemaphorePermit<'static>;

/// The rows of one answer while they are read.
pub(super) struct Reading<F> {
    splitter: Splitter,
    order: Order,
    fold: F,
    sink: SharedSink,
    place: String,
}

impl<F: Fold> Reading<F> {
    pub(super) fn new(splitter: Splitter, fold: F, sink: SharedSink, place: String) -> Self {
        Self {
            splitter,
            order: Order::default(),
            fold,
            sink,
            place,
        }
    }

    /// Reads the next batch on a blocking thread, or here where it needs no place. A reading that is dropped meanwhile
    /// ends with its batch.
    pub(super) async fn read(
        mut self,
        batch: Batch,
        place: Option<Place>,
    ) -> Result<Self, ProviderError> {
        let Some(place) = place else {
            self.take(&batch)?;
            return Ok(self);
        };
        let reading = task::spawn_blocking(move || {
            let _place = place;
            self.take(&batch)?;
            Ok(self)
        });
        reading
            .await
            .unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                Err(_) => Err(ProviderError::new(
                    Reason::Timeout,
                    "the program ends while the answer is read",
                )),
            })
    }

    /// Whether the body may end here, and what is left of it.
    pub(super) fn finish(self) -> Result<Read<F>, ProviderError> {
        let rows = self.splitter.rows();
        let around = self
            .splitter
            .finish()
            .map_err(|fault| RowError::Frame(fault).at(&self.place, rows))?;
        Ok(Read {
            fold: self.fold,
            around,
        })
    }

    fn take(&mut self, batch: &Batch) -> Result<(), ProviderError> {
        let mut sink = self
            .sink
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut taker = Taker {
            order: &mut self.order,
            fold: &mut self.fold,
            sink: &mut *sink,
        };
        for chunk in &batch.chunks {
            self.splitter
                .push(chunk, &mut taker)
                .map_err(|fault: RowError| fault.at(&self.place, self.splitter.rows() + 1))?;
        }
        Ok(())
    }
}

/// Decodes rows and hands them on.
struct Taker<'a, F> {
    order: &'a mut Order,
    fold: &'a mut F,
    sink: &'a mut dyn Sink,
}

impl<F: Fold> TakeRows<RowError> for Taker<'_, F> {
    fn begins(&mut self, text: &str) -> Result<Option<usize>, RowError> {
        let Some((row, length)) = fast_reader::read(text, self.order) else {
            return Ok(None);
        };
        self.fold.fold(row, self.sink)?;
        Ok(Some(length))
    }

    fn whole(&mut self, row: &[u8]) -> Result<(), RowError> {
        self.fold.fold(scalars::row(row)?, self.sink)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use serde_json::json;

    use crate::provider::{
        Part,
        registry::ProviderName,
        test_support::{Api, RecordingSink, ask, build, fetch, secret, told},
    };

    /// Several batches of rows, each of which says its number.
    fn rows(count: usize) -> Vec<String> {
        (1..=count)
            .map(|number| {
                format!(
                    r#"{{"amount":{number},"consumption_date":"2024-05-01","project_id":"p","resource_id":"{}"}}"#,
                    "x".repeat(number % 400)
                )
            })
            .collect()
    }

    /// What an account is told by a server that answers for May.
    async fn answer(body: String) -> Result<RecordingSink, String> {
        let api = Api::start(move |seen| {
            let body = if seen.line.contains("month=5") {
                body.clone()
            } else {
                String::new()
            };
            (200, body)
        })
        .await;
        let key = secret("key");
        let section = json!({ "base_url": api.url, "api_key_file": key.path() });
        let otc = build(ProviderName::Otc, section, &[]).unwrap();
        fetch(&*otc, &Part::whole_account(), &ask("2024-05-10"))
            .await
            .map_err(|error| told(&error))
    }

    const COUNT: usize = 12_000;

    #[tokio::test]
    async fn a_long_answer_is_folded_whole_and_in_order() {
        let rows = rows(COUNT);
        for body in [rows.join("\n"), format!("[{}]", rows.join(","))] {
            assert!(body.len() > 4 * crate::http_client::row_stream::BATCH);
            let notes = answer(body).await.unwrap();
            assert_eq!(notes.rows, COUNT as u64);
            for (number, charge) in (1..).zip(&notes.charges) {
                let amount = format!("BilledCost {number} EUR");
                assert!(charge.ends_with(&amount), "{charge}");
            }
            assert_eq!(notes.charges.len(), COUNT);
        }
    }

    #[tokio::test]
    async fn a_fault_in_a_long_answer_names_its_row() {
        let place = "GET /v2/daily/consumption/";
        for (number, row, want) in [
            (
                9_000,
                r#"{"amount":"a lot"}"#,
                "malformed: {}: row 9000: field amount: not a decimal number",
            ),
            (
                11_999,
                r#"{"amount":1}"#,
                "malformed: {}: row 11999: field consumption_date: is missing",
            ),
            (
                10_000,
                "]",
                "malformed: {}: unexpected byte ']' after row 9999",
            ),
            (
                12_000,
                r#"{"amount""#,
                "truncated: {}: the body ends inside row 12000",
            ),
        ] {
            let mut rows = rows(COUNT);
            row.clone_into(&mut rows[number - 1]);
            let told = answer(rows.join("\n")).await.unwrap_err();
            assert!(told.starts_with(&want.replace("{}", place)), "{told}");
        }
    }

    #[tokio::test]
    async fn a_reading_that_is_dropped_lets_go_of_the_sink() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sent, all_sent) = tokio::sync::oneshot::channel();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).unwrap() > 0);
            let body = rows(COUNT).join("\n");
            let length = body.len() + 1000;
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            sent.send(()).unwrap();
            // The rest never comes; the connection ends when the other side has enough of it.
            while stream.read(&mut head).is_ok_and(|read| read > 0) {}
        });
        let key = secret("key");
        let section = json!({ "base_url": url, "api_key_file": key.path() });
        let otc = build(ProviderName::Otc, section, &[]).unwrap();
        let notes = Arc::new(Mutex::new(RecordingSink::default()));
        let sink: crate::charge::SharedSink = notes.clone();
        let (part, mut ask) = (Part::whole_account(), ask("2024-05-10"));
        ask.months = vec![ask.current];
        tokio::select! {
            answer = otc.fetch(&part, &ask, &sink) => panic!("{answer:?}"),
            _ = all_sent => {}
        }
        drop((sink, otc));
        let deadline = tokio::time::sleep(Duration::from_secs(10));
        tokio::pin!(deadline);
        while Arc::strong_count(&notes) > 1 {
            tokio::select! {
                () = &mut deadline => panic!("somebody still reads"),
                () = tokio::task::yield_now() => {}
            }
        }
        let ended = tokio::task::spawn_blocking(|| server.join());
        ended.await.unwrap().unwrap();
        assert!(notes.lock().unwrap().rows < COUNT as u64);
    }
}
