//! How an answer over HTTP/2 may end: with the mark that it is whole, or in any other way. What is served afterwards is
//! what was served before, or exactly what the answer said.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use cloudspend_exporter::{
    charge::Measure,
    error::Reason::{self, Truncated, Unreachable},
    view::Window,
};

use super::{
    account::{RetryLimits, Shown, TestAccount, secret, times},
    apis::{ACTIVEPLATFORM, Case, ENUBE, LICENCES, OTC_ARRAY, OTC_LINES, Version},
    bodies::{alone, say},
    http2_server::{
        After, Answer, END_STREAM, Http2Server, NO_FLAGS, data, go_away, head, padded, reset,
        trailers, write_certificate,
    },
    server::{RecordedRequest, zipped},
};

mod exports;
mod frames;

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const CANCEL: u32 = 8;
/// Every code that RFC 9113 names, and one that it does not.
const CODES: [u32; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xbad];
/// A piece of a body is so long, so that small bodies have several.
const PIECE: usize = 48;

/// Where a test finds the certificate of its servers.
const FOLDER: &str = "TEST_OF_ENDS_CERTIFICATE";

/// Runs a test in a process of its own, which trusts the certificate of its servers: where they are is told by the
/// environment of a process.
fn trusting<F: Future<Output = ()>>(name: &str, test: impl FnOnce(PathBuf) -> F) {
    #[expect(clippy::disallowed_methods, reason = "the test's own variable")]
    let folder = env::var_os(FOLDER);
    if let Some(folder) = folder {
        alone(test(folder.into()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path());
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            &format!("faults::http2_ends::{name}"),
        ])
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .env_remove("SSL_CERT_DIR")
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}"
    );
    // What the test counted; the child's lines are not the parent's.
    for line in printed.lines().filter(|line| line.contains("in all")) {
        say(line);
    }
}

/// How the frames of an answer end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The last piece says that it is the last.
    Marked,
    /// An empty piece says so.
    MarkedEmpty,
    Trailers,
    /// Whole, and then a reset, as a server does that wants no more of the request.
    MarkedThenReset,
    Reset(u32),
    /// No stream is answered any more.
    GoAway(u32),
    Connection(After),
}

/// An answer in frames.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// So much of the body comes.
    at: usize,
    /// So many bytes more than there are does Content-Length promise, where there is one.
    length: Option<isize>,
    zip: bool,
    padding: Option<u8>,
    end: End,
}

impl Form {
    fn new(at: usize, end: End) -> Self {
        Self {
            at,
            length: None,
            zip: false,
            padding: None,
            end,
        }
    }

    fn promising(self, more: isize) -> Self {
        let length = Some(more);
        Self { length, ..self }
    }

    fn answer(self, stream: u32, body: &[u8]) -> Answer {
        let zip = self.zip.then(|| zipped(body));
        let body = zip.as_deref().unwrap_or(body);
        let mut fields = Vec::new();
        if self.zip {
            fields.push(("content-encoding", "gzip".to_owned()));
        }
        if let Some(more) = self.length {
            let length = body.len().checked_add_signed(more).unwrap();
            fields.push(("content-length", length.to_string()));
        }
        let mut frames = head(stream, NO_FLAGS, "200", &fields);
        let marked = matches!(self.end, End::Marked | End::MarkedThenReset);
        let mut pieces = body[..self.at.min(body.len())].chunks(PIECE).peekable();
        if self.at == 0 && marked {
            frames.extend(data(stream, END_STREAM, b""));
        }
        while let Some(piece) = pieces.next() {
            let last = marked && pieces.peek().is_none();
            let flags = if last { END_STREAM } else { NO_FLAGS };
            frames.extend(match self.padding {
                Some(padding) => padded(stream, flags, piece, padding),
                None => data(stream, flags, piece),
            });
        }
        let mut after = After::Keep;
        match self.end {
            End::Marked => {}
            End::MarkedEmpty => frames.extend(data(stream, END_STREAM, b"")),
            End::Trailers => frames.extend(trailers(stream)),
            End::MarkedThenReset => frames.extend(reset(stream, NO_ERROR)),
            End::Reset(code) => frames.extend(reset(stream, code)),
            End::GoAway(code) => {
                frames.extend(go_away(0, code));
                after = After::Close;
            }
            End::Connection(end) => after = end,
        }
        Answer { frames, after }
    }

    /// Whether all the bytes that were promised came before a reset that tells no error: it may be taken, then.
    fn is_kept_promise(self, whole: usize) -> bool {
        let end = [End::Reset(NO_ERROR), End::GoAway(NO_ERROR)];
        self.at >= whole && self.length == Some(0) && end.contains(&self.end)
    }

    /// Whether it must be taken; else it must not, except where all the bytes that were promised came.
    fn is_good(self, whole: usize) -> bool {
        let marked = matches!(
            self.end,
            End::Marked | End::MarkedEmpty | End::Trailers | End::MarkedThenReset
        );
        marked && self.at >= whole && self.length.is_none_or(|more| more == 0)
    }
}

/// Every form of a body that is worth a try, at every byte.
fn forms(body: &[u8]) -> Vec<Form> {
    let zip = zipped(body).len();
    let marks = [
        End::Marked,
        End::MarkedEmpty,
        End::Trailers,
        End::MarkedThenReset,
    ];
    let mut forms = Vec::new();
    for at in 0..=body.len() {
        for end in [
            End::Reset(NO_ERROR),
            End::Reset(CANCEL),
            End::GoAway(NO_ERROR),
            End::Connection(After::Close),
        ] {
            forms.push(Form::new(at, end));
        }
        forms.push(Form::new(at, End::Reset(NO_ERROR)).promising(0));
        forms.push(Form::new(at, marks[at % 4]).promising(0));
    }
    // The rest of the ends at a few bytes: none, inside a row, between two and at the end.
    let between = body.iter().position(|byte| *byte == b'\n');
    for at in [0, 1, between.map_or(7, |at| at + 1), body.len()] {
        for length in [None, Some(0)] {
            for code in CODES {
                for end in [End::Reset(code), End::GoAway(code)] {
                    forms.push(Form {
                        length,
                        ..Form::new(at, end)
                    });
                }
            }
            for after in [After::Close, After::Cut, After::Reset] {
                forms.push(Form {
                    length,
                    ..Form::new(at, End::Connection(after))
                });
            }
        }
    }
    for end in marks {
        for more in [-1, 1, 1000] {
            forms.push(Form::new(body.len(), end).promising(more));
        }
    }
    // What is compressed has an end of its own, but what its stream says comes first.
    for at in 0..=zip {
        for end in [End::Reset(NO_ERROR), marks[at % 4]] {
            for length in [None, Some(0)] {
                // Nothing at all, and marked as the end of it, is an empty body.
                if at == 0 && end == End::Marked && length.is_none() {
                    continue;
                }
                forms.push(Form {
                    length,
                    zip: true,
                    ..Form::new(at, end)
                });
            }
        }
    }
    // Whole.
    for end in marks {
        for length in [None, Some(0)] {
            for padding in [None, Some(0), Some(255)] {
                for zip in [None, Some(zip)] {
                    forms.push(Form {
                        length,
                        padding,
                        zip: zip.is_some(),
                        ..Form::new(zip.unwrap_or(body.len()), end)
                    });
                }
            }
        }
    }
    forms
}

/// An account over a server that says one of two versions of a case.
struct FaultyApi<'a> {
    case: &'a Case,
    server: Http2Server,
    account: TestAccount,
    last: Version,
    references: [Shown; 2],
    _secret: tempfile::NamedTempFile,
}

impl<'a> FaultyApi<'a> {
    async fn new(case: &'a Case, limits: RetryLimits, folder: &Path) -> Self {
        let secret = secret("s3cret-of-the-account");
        let server = Http2Server::start(folder).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        let account = TestAccount::new(&section, limits);
        let mut api = Self {
            case,
            server,
            account,
            last: Version::One,
            references: [Shown::new(), Shown::new()],
            _secret: secret,
        };
        for version in [Version::Two, Version::One] {
            api.good(version).await;
            let total = api.account.total(case.family.0, case.family.1);
            let known = (case.sum)(version);
            assert!((total - known).abs() < 1e-9, "{}: {total}", case.name);
            api.references[version as usize] = api.account.shown();
        }
        api
    }

    /// Polls good answers of a version.
    async fn good(&mut self, version: Version) {
        let answer = self.case.answer;
        self.server
            .now(move |seen, stream| Answer::good(stream, answer(seen, version).as_bytes()));
        self.account.poll().await;
        assert_eq!(self.account.failure(), None, "{}", self.case.name);
        self.last = version;
    }

    /// Polls answers of which the one of the case is told by a script; the others are good.
    /// Returns the body of that one.
    async fn poll(
        &self,
        mut script: impl FnMut(&RecordedRequest, u32, &[u8]) -> Answer + Send + 'static,
    ) -> Vec<u8> {
        let (answer, target) = (self.case.answer, self.case.target);
        let next = self.last.other();
        let asked = Arc::<Mutex<Vec<u8>>>::default();
        let shared = Arc::clone(&asked);
        self.server.now(move |seen, stream| {
            let body = answer(seen, next);
            if target(seen) {
                *shared.lock().unwrap() = body.clone().into_bytes();
                script(seen, stream, body.as_bytes())
            } else {
                Answer::good(stream, body.as_bytes())
            }
        });
        self.account.poll().await;
        let body = asked.lock().unwrap();
        assert!(!body.is_empty(), "{}: was not asked", self.case.name);
        body.clone()
    }

    /// The body that the frames are to hold; that of the other version is as long.
    async fn body(&mut self) -> Vec<u8> {
        let body = self
            .poll(|_, stream, body| Answer::good(stream, body))
            .await;
        self.expect_next(self.case.name);
        self.last = self.last.other();
        body
    }

    fn expect_last(&self, place: &str, reasons: &[Reason]) {
        let (reason, message) = self.account.failure().unwrap_or_else(|| {
            let shown = self.account.shown();
            panic!("{place}: taken as whole, {shown:?}")
        });
        assert!(reasons.contains(&reason), "{place}: {reason:?}, {message}");
        let last = &self.references[self.last as usize];
        assert_eq!(&self.account.shown(), last, "{place}: {message}");
    }

    fn expect_next(&self, place: &str) {
        assert_eq!(self.account.failure(), None, "{place}");
        let next = &self.references[self.last.other() as usize];
        assert_eq!(&self.account.shown(), next, "{place}");
    }
}

/// Every form of one kind of answer; returns how many there were.
async fn every_form(case: &Case, folder: &Path) -> usize {
    let mut api = FaultyApi::new(case, RetryLimits::once(), folder).await;
    let body = api.body().await;
    let forms = forms(&body);
    for &form in &forms {
        let place = format!("{}, {form:?}", case.name);
        let body = api
            .poll(move |_, stream, body| form.answer(stream, body))
            .await;
        let whole = if form.zip {
            zipped(&body).len()
        } else {
            body.len()
        };
        let is_taken = form.is_kept_promise(whole) && api.account.failure().is_none();
        if form.is_good(whole) || is_taken {
            api.expect_next(&place);
        } else {
            api.expect_last(&place, &[Truncated, Unreachable]);
        }
        let next = api.last.other();
        api.good(next).await;
        let want = &api.references[next as usize];
        assert_eq!(&api.account.shown(), want, "after {place}");
    }
    forms.len()
}

#[test]
fn any_stream_end_keeps_last_values_or_serves_new() {
    let name = "any_stream_end_keeps_last_values_or_serves_new";
    trusting(name, async |folder| {
        let tried: usize = thread::scope(|scope| {
            let cases = [OTC_LINES, OTC_ARRAY, ACTIVEPLATFORM, LICENCES];
            let tasks = cases.map(|case| {
                let folder = &folder;
                scope.spawn(move || alone(every_form(&case, folder)))
            });
            tasks.map(|task| task.join().unwrap()).into_iter().sum()
        });
        say(&format!("ends tried in all: {tried}"));
        assert!(tried > 5000, "{tried}");
    });
}
