//! Answers that are cut, broken and lied about, at every byte of small ones and at random ones of large ones: what is
//! served afterwards is what was served before, or exactly what the answer said.

use std::fmt::Write;

use cloudspend_exporter::error::Reason;

use super::{
    account::{RetryLimits, Shown, TestAccount, secret},
    apis::{ALL, Case, OTC_ARRAY, OTC_LINES, Version},
    server::{RecordedRequest, Reply, Server, Step, chunked, zipped},
};

/// The size of chunks, small enough for several in a small body.
const CHUNK: usize = 48;

/// One fault of one answer. A number is the byte at which it happens.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The connection ends in good order before the answer has begun properly.
    HeadCut(usize),
    HeadReset(usize),
    /// Fewer bytes than Content-Length promises.
    Cut(usize),
    Reset(usize),
    /// Content-Length is smaller than the body: the rest stands where the next answer should.
    Short(usize),
    ShortThenEnd(usize),
    /// Content-Length is so much larger than the body.
    Long(usize),
    /// The stream of chunks stops.
    ChunksCut(usize),
    ChunksReset(usize),
    /// One byte of the stream of chunks is another one.
    ChunksBroken(usize),
    /// A compressed body is cut, and Content-Length says so or not, or the chunks end as if it were whole.
    ZipCut(usize),
    ZipShort(usize),
    ZipChunked(usize),
    /// One byte of a compressed body is another one.
    ZipBroken(usize),
    /// Neither Content-Length nor chunks: the body ends with the connection.
    Unframed(usize),
    UnframedZip(usize),
    /// It comes byte by byte and is whole.
    Drip,
    /// Status 206 and a part of the body, well framed.
    Partial(usize),
}

use Fault as F;

/// A fault that is still to be told where it happens.
type Kind = fn(usize) -> Fault;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n";

impl Fault {
    /// Every fault at every byte of a body.
    fn all(body: &[u8]) -> Vec<Self> {
        let (whole, zip) = (body.len(), zipped(body).len());
        let chunks = chunked(body, CHUNK).len();
        let head = HEAD.len() + 2;
        let mut all = Vec::new();
        let mut push = |range: std::ops::Range<usize>, kinds: &[Kind]| {
            all.extend(range.flat_map(|at| kinds.iter().map(move |kind| kind(at))));
        };
        push(0..head, &[F::HeadCut, F::HeadReset]);
        push(
            0..whole,
            &[F::Cut, F::Reset, F::Short, F::ShortThenEnd, F::Partial],
        );
        push(1..20, &[F::Long]);
        push(0..chunks, &[F::ChunksCut, F::ChunksBroken]);
        push(0..zip, &[F::ZipCut, F::ZipShort, F::ZipChunked]);
        // A gzip header's time and system say nothing of the content.
        push(10..zip, &[F::ZipBroken]);
        push(0..whole + 1, &[F::Unframed]);
        push(0..zip + 1, &[F::UnframedZip]);
        all.push(F::Drip);
        all
    }

    /// One of them somewhere in a body.
    fn any(body: &[u8], random: &mut fastrand::Rng) -> Self {
        let (whole, zip) = (body.len(), zipped(body).len());
        let chunks = chunked(body, CHUNK).len();
        let kinds: [(Kind, usize); 12] = [
            (F::Cut, whole),
            (F::Reset, whole),
            (F::Short, whole),
            (F::ShortThenEnd, whole),
            (F::Long, 1 << 20),
            (F::ChunksCut, chunks),
            (F::ChunksReset, chunks),
            (F::ChunksBroken, chunks),
            (F::ZipCut, zip),
            (F::ZipShort, zip),
            (F::ZipChunked, zip),
            (F::Unframed, whole),
        ];
        let (kind, end) = kinds[random.usize(..kinds.len())];
        kind(random.usize(1..end))
    }

    /// Whether nothing in the answer tells that it is not all: its length fits, and it ends between two rows. Only the
    /// plausibility guard can help there, and has a test of its own.
    fn is_perfect_lie(self, body: &[u8], case: &Case) -> bool {
        let is_otc = case.name.starts_with("otc");
        let (Self::Short(at) | Self::ShortThenEnd(at)) = self else {
            // Nothing at all is an empty body, whatever its coding.
            return is_otc && matches!(self, Self::ZipShort(0) | Self::ZipChunked(0));
        };
        let last = body[..at].rsplit(|byte| *byte == b'\n').next().unwrap();
        let is_row = serde_json::from_slice::<serde::de::IgnoredAny>(last).is_ok();
        (is_otc && at == 0) || (case.endless && (last.is_empty() || is_row))
    }

    fn reply(self, body: &[u8]) -> Reply {
        let with = |headers: &str, body: &[u8], end: Option<Step>| {
            let mut reply =
                Reply::raw([HEAD.as_bytes(), headers.as_bytes(), b"\r\n", body].concat());
            reply.0.extend(end);
            reply
        };
        let length = |length: usize| format!("Content-Length: {length}\r\n");
        let zip_length = |zip: usize| format!("Content-Encoding: gzip\r\n{}", length(zip));
        let chunks = "Transfer-Encoding: chunked\r\n";
        let zip_chunks = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n";
        let whole = body.len();
        let (framed, zip) = (chunked(body, CHUNK), zipped(body));
        let end = Some(Step::Close);
        match self {
            Self::HeadCut(at) => Reply::raw(&format!("{HEAD}\r\n")[..at]).then(Step::Close),
            Self::HeadReset(at) => Reply::raw(&format!("{HEAD}\r\n")[..at]).then(Step::Reset),
            Self::Cut(at) => with(&length(whole), &body[..at], end),
            Self::Reset(at) => with(&length(whole), &body[..at], Some(Step::Reset)),
            Self::Short(at) => with(&length(at), body, None),
            Self::ShortThenEnd(at) => with(&length(at), body, end),
            Self::Long(more) => with(&length(whole + more), body, end),
            Self::ChunksCut(at) => with(chunks, &framed[..at], end),
            Self::ChunksReset(at) => with(chunks, &framed[..at], Some(Step::Reset)),
            Self::ChunksBroken(at) => {
                let mut broken = framed;
                broken[at] = 0x01;
                with(chunks, &broken, end)
            }
            Self::ZipCut(at) => with(&zip_length(zip.len()), &zip[..at], end),
            Self::ZipShort(at) => with(&zip_length(at), &zip[..at], None),
            Self::ZipChunked(at) => with(zip_chunks, &chunked(&zip[..at], CHUNK), None),
            Self::ZipBroken(at) => {
                let mut broken = zip;
                broken[at] ^= 0x10;
                with(&zip_length(broken.len()), &broken, None)
            }
            Self::Unframed(at) => with("Connection: close\r\n", &body[..at], end),
            Self::UnframedZip(at) => with("Content-Encoding: gzip\r\n", &zip[..at], end),
            Self::Drip => Reply(vec![Step::Drip(
                [HEAD.as_bytes(), length(whole).as_bytes(), b"\r\n", body].concat(),
            )]),
            Self::Partial(at) => Reply::status(206, "", &body[..at]),
        }
    }

    /// How it may be told.
    fn reasons(self) -> &'static [Reason] {
        match self {
            Self::HeadCut(_) | Self::HeadReset(_) => &[Reason::Unreachable],
            // A reset may be there before what was sent.
            Self::Reset(_) | Self::ChunksReset(_) => &[Reason::Truncated, Reason::Unreachable],
            Self::ChunksBroken(_) | Self::ZipBroken(_) => &[Reason::Malformed, Reason::Truncated],
            Self::Drip => &[],
            _ => &[Reason::Truncated],
        }
    }
}

/// An account over a server that says one of two versions of a case.
struct FaultyApi<'a> {
    case: &'a Case,
    answer: fn(&RecordedRequest, Version) -> String,
    server: Server,
    account: TestAccount,
    last: Version,
    references: [Shown; 2],
    tried: usize,
    _secret: tempfile::NamedTempFile,
}

impl<'a> FaultyApi<'a> {
    async fn new(case: &'a Case, answer: fn(&RecordedRequest, Version) -> String) -> Self {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(|_| Reply::default()).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        let mut references = [Shown::new(), Shown::new()];
        for version in [Version::Two, Version::One] {
            let fresh = TestAccount::new(&section, RetryLimits::once());
            server.now(move |seen| Reply::good(answer(seen, version)));
            fresh.poll().await;
            assert_eq!(fresh.failure(), None, "{}", case.name);
            let total = fresh.total(case.family.0, case.family.1);
            let known = (case.sum)(version);
            assert!((total - known).abs() < 1e-9, "{}: {total}", case.name);
            references[version as usize] = fresh.shown();
        }
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        let api = Self {
            case,
            answer,
            server,
            account,
            last: Version::One,
            references,
            tried: 0,
            _secret: secret,
        };
        assert_eq!(api.account.shown(), api.references[Version::One as usize]);
        api
    }

    /// The answer that faults meet, in one version.
    async fn body(&self, version: Version) -> Vec<u8> {
        let (sender, mut bodies) = tokio::sync::mpsc::unbounded_channel();
        let (answer, target, last) = (self.answer, self.case.target, self.last);
        self.server.now(move |seen| {
            if target(seen) {
                sender.send(answer(seen, version)).unwrap();
            }
            Reply::good(answer(seen, last))
        });
        self.account.poll().await;
        bodies.recv().await.unwrap().into_bytes()
    }

    /// Meets one fault, and then a good answer.
    async fn meet(&mut self, fault: Fault) {
        let (answer, target) = (self.answer, self.case.target);
        let next = self.last.other();
        self.server.now(move |seen| {
            let body = answer(seen, next);
            if target(seen) {
                fault.reply(body.as_bytes())
            } else {
                Reply::good(body)
            }
        });
        self.account.poll().await;
        let place = format!("{}, {fault:?}", self.case.name);
        let shown = self.account.shown();
        match self.account.failure() {
            None => assert_eq!(shown, self.references[next as usize], "{place}"),
            Some((reason, message)) => {
                assert!(
                    fault.reasons().contains(&reason),
                    "{place}: {reason:?}, {message}"
                );
                // Where the list of parts failed, those that are known were polled all the same.
                let discovery = self.account.view().state.status.discovery.is_some();
                let served = if discovery { next } else { self.last };
                assert_eq!(
                    shown, self.references[served as usize],
                    "{place}: {message}"
                );
            }
        }
        self.server.now(move |seen| Reply::good(answer(seen, next)));
        self.account.poll().await;
        assert_eq!(self.account.failure(), None, "after {place}");
        assert_eq!(
            self.account.shown(),
            self.references[next as usize],
            "after {place}"
        );
        self.last = next;
        self.tried += 1;
    }
}

/// Every fault at every byte of one kind of answer; returns how many there were.
async fn every_byte(case: &Case) -> usize {
    let mut api = FaultyApi::new(case, case.answer).await;
    let body = api.body(Version::One).await;
    for fault in Fault::all(&body) {
        if !fault.is_perfect_lie(&body, case) {
            api.meet(fault).await;
        }
    }
    api.tried
}

const ROWS: u64 = 2500;

fn cents(row: u64, version: Version) -> u64 {
    match version {
        Version::One => row * 37 % 1000,
        Version::Two => row * 53 % 1000 + 7,
    }
}

fn many_rows(seen: &RecordedRequest, version: Version) -> String {
    let mut rows = String::new();
    if (OTC_LINES.target)(seen) {
        for row in 0..ROWS {
            let cents = cents(row, version);
            writeln!(
                rows,
                r#"{{"amount":{}.{:02},"consumption_date":"2024-07-{:02}","product":"{}"}}"#,
                cents / 100,
                cents % 100,
                row % 20 + 1,
                row % 100
            )
            .unwrap();
        }
    }
    rows
}

fn many_elements(seen: &RecordedRequest, version: Version) -> String {
    let rows = many_rows(seen, version);
    format!("[{}]", rows.trim_end().replace('\n', ",\n"))
}

fn euros(version: Version) -> f64 {
    (0..ROWS).map(|row| cents(row, version)).sum::<u64>() as f64 / 100.0
}

/// Faults at random bytes of a large answer; returns how many there were.
async fn random_bytes(
    case: &Case,
    answer: fn(&RecordedRequest, Version) -> String,
    faults: usize,
) -> usize {
    let case = Case {
        sum: euros,
        ..*case
    };
    let mut random = fastrand::Rng::with_seed(0xC10D);
    let mut api = FaultyApi::new(&case, answer).await;
    let bodies = [api.body(Version::One).await, api.body(Version::Two).await];
    while api.tried < faults {
        let body = &bodies[api.last.other() as usize];
        let fault = Fault::any(body, &mut random);
        if !fault.is_perfect_lie(body, &case) {
            api.meet(fault).await;
        }
    }
    api.tried
}

/// Runs something on a thread of its own, in a runtime of its own.
pub(crate) fn alone<T: Send>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn broken_body_keeps_last_values_or_serves_new() {
    let tried: usize = std::thread::scope(|scope| {
        let mut tasks: Vec<_> = ALL
            .iter()
            .map(|case| scope.spawn(|| alone(every_byte(case))))
            .collect();
        tasks.push(scope.spawn(|| alone(random_bytes(&OTC_LINES, many_rows, 150))));
        tasks.push(scope.spawn(|| alone(random_bytes(&OTC_ARRAY, many_elements, 150))));
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    say(&format!("faults tried in all: {tried}"));
    assert!(tried > 10_000, "{tried}");
}

#[tokio::test]
async fn empty_gzip_body_is_an_empty_body() {
    const GZIP: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
    for (framing, failure) in [
        ("Content-Length: 0\r\n\r\n", None),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
        // Where it ends with the connection, it may be cut off.
        ("Connection: close\r\n\r\n", Some(Reason::Truncated)),
    ] {
        for case in [OTC_LINES, OTC_ARRAY] {
            let secret = secret("s3cret-of-the-account");
            let server =
                Server::start(move |_| Reply::raw(format!("{GZIP}{framing}")).then(Step::Close))
                    .await;
            let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
            let account = TestAccount::new(&section, RetryLimits::once());
            account.poll().await;
            let place = format!("{}, {framing:?}: {:?}", case.name, account.failure());
            assert_eq!(account.reason(), failure, "{place}");
        }
    }
}

#[expect(clippy::print_stderr, reason = "the number stands in the README")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
