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
    account::{Bench, Manner, Shown, secret, times},
    apis::{ACTIVEPLATFORM, Case, ENUBE, LICENCES, OTC_ARRAY, OTC_LINES, Version},
    bodies::{alone, say},
    http2_server::{
        After, Answer, END_STREAM, Frames, NO_FLAGS, data, go_away, head, padded, reset, trailers,
        write_certificate,
    },
    server::{Seen, zipped},
};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const CANCEL: u32 = 8;
/// Every code that RFC 9113 names, and one that it does not.
const CODES: [u32; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xbad];
/// A piece of a body is so long, so that small bodies have several.
const PIECE: usize = 48;

/// Where a test finds the certificate of its servers.
const FOLDER: &str = "TEST_OF_ENDS_CERTIFICATE";

/// Runs a test in a process of its own, which trusts the certificate of its servers: the system's certificates are read
/// once a process, and where they are is told by the environment.
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
struct Rig<'a> {
    case: &'a Case,
    server: Frames,
    bench: Bench,
    last: Version,
    references: [Shown; 2],
    _secret: tempfile::NamedTempFile,
}

impl<'a> Rig<'a> {
    async fn new(case: &'a Case, manner: Manner, folder: &Path) -> Self {
        let secret = secret("s3cret-of-the-account");
        let server = Frames::start(folder).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        let bench = Bench::new(&section, manner);
        let mut rig = Self {
            case,
            server,
            bench,
            last: Version::One,
            references: [Shown::new(), Shown::new()],
            _secret: secret,
        };
        for version in [Version::Two, Version::One] {
            rig.good(version).await;
            let total = rig.bench.total(case.family.0, case.family.1);
            let known = (case.sum)(version);
            assert!((total - known).abs() < 1e-9, "{}: {total}", case.name);
            rig.references[version as usize] = rig.bench.shown();
        }
        rig
    }

    /// Polls good answers of a version.
    async fn good(&mut self, version: Version) {
        let answer = self.case.answer;
        self.server
            .now(move |seen, stream| Answer::good(stream, answer(seen, version).as_bytes()));
        self.bench.poll().await;
        assert_eq!(self.bench.failure(), None, "{}", self.case.name);
        self.last = version;
    }

    /// Polls answers of which the one of the case is told by a script; the others are good.
    /// Returns the body of that one.
    async fn poll(
        &self,
        mut script: impl FnMut(&Seen, u32, &[u8]) -> Answer + Send + 'static,
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
        self.bench.poll().await;
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
        let (reason, message) = self.bench.failure().unwrap_or_else(|| {
            let shown = self.bench.shown();
            panic!("{place}: taken as whole, {shown:?}")
        });
        assert!(reasons.contains(&reason), "{place}: {reason:?}, {message}");
        let last = &self.references[self.last as usize];
        assert_eq!(&self.bench.shown(), last, "{place}: {message}");
    }

    fn expect_next(&self, place: &str) {
        assert_eq!(self.bench.failure(), None, "{place}");
        let next = &self.references[self.last.other() as usize];
        assert_eq!(&self.bench.shown(), next, "{place}");
    }
}

/// Every form of one kind of answer; returns how many there were.
async fn every_form(case: &Case, folder: &Path) -> usize {
    let mut rig = Rig::new(case, Manner::once(), folder).await;
    let body = rig.body().await;
    let forms = forms(&body);
    for &form in &forms {
        let place = format!("{}, {form:?}", case.name);
        let body = rig
            .poll(move |_, stream, body| form.answer(stream, body))
            .await;
        let whole = if form.zip {
            zipped(&body).len()
        } else {
            body.len()
        };
        let is_taken = form.is_kept_promise(whole) && rig.bench.failure().is_none();
        if form.is_good(whole) || is_taken {
            rig.expect_next(&place);
        } else {
            rig.expect_last(&place, &[Truncated, Unreachable]);
        }
        let next = rig.last.other();
        rig.good(next).await;
        let want = &rig.references[next as usize];
        assert_eq!(&rig.bench.shown(), want, "after {place}");
    }
    forms.len()
}

#[test]
fn however_a_stream_ends_what_is_served_is_the_last_values_or_the_new_ones() {
    let name = "however_a_stream_ends_what_is_served_is_the_last_values_or_the_new_ones";
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
fn rows_before_a_reset_without_an_error_are_not_all() {
    let name = "rows_before_a_reset_without_an_error_are_not_all";
    trusting(name, async |folder| {
        let secret = secret("s3cret-of-the-account");
        let server = Frames::start(&folder).await;
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
            let bench = Bench::new(&section, Manner::once());
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
                bench.poll().await;
                let total = bench.total(Measure::BilledCost, Window::MonthToDate);
                totals.push((total.round(), bench.reason()));
            }
            if totals != [(40.0, None), (40.0, Some(Truncated))] {
                wrong.push(format!("{form:?}: {totals:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn a_stream_that_broke_off_is_asked_for_again() {
    trusting(
        "a_stream_that_broke_off_is_asked_for_again",
        async |folder| {
            for case in [OTC_LINES, ACTIVEPLATFORM, LICENCES] {
                let manner = Manner {
                    request: times(2),
                    ..Manner::once()
                };
                let mut rig = Rig::new(&case, manner, &folder).await;
                for end in [
                    End::Reset(NO_ERROR),
                    End::Reset(CANCEL),
                    End::GoAway(NO_ERROR),
                    End::Connection(After::Close),
                ] {
                    let before = rig.bench.retries();
                    let mut first = true;
                    rig.poll(move |_, stream, body| {
                        if std::mem::take(&mut first) {
                            Form::new(body.len() / 2, end).answer(stream, body)
                        } else {
                            Answer::good(stream, body)
                        }
                    })
                    .await;
                    rig.expect_next(&format!("{}, {end:?}", case.name));
                    assert_eq!(rig.bench.retries(), before + 1, "{}, {end:?}", case.name);
                    rig.last = rig.last.other();
                }
            }
        },
    );
}

/// The frames of a body on a stream.
type Framing = fn(u32, &[u8]) -> Vec<Vec<u8>>;

/// Frames that stand between those of an answer and change nothing of it.
#[test]
fn a_whole_answer_is_taken_whatever_stands_between_its_frames() {
    let name = "a_whole_answer_is_taken_whatever_stands_between_its_frames";
    trusting(name, async |folder| {
        for case in [OTC_LINES, ACTIVEPLATFORM, LICENCES] {
            let mut rig = Rig::new(&case, Manner::once(), &folder).await;
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
                rig.poll(move |_, stream, body| Answer::kept(form(stream, body).concat()))
                    .await;
                rig.expect_next(&format!("{}, form {number}", case.name));
                rig.last = rig.last.other();
            }
        }
    });
}

/// The frames of a good answer, cut at each of their bytes by the end of the connection.
#[test]
fn an_answer_whose_frames_are_cut_at_any_byte_leaves_the_last_values() {
    let name = "an_answer_whose_frames_are_cut_at_any_byte_leaves_the_last_values";
    trusting(name, async |folder| {
        for case in [OTC_LINES, LICENCES] {
            let mut rig = Rig::new(&case, Manner::once(), &folder).await;
            let frames = |stream: u32, body: &[u8]| {
                Form::new(body.len(), End::MarkedEmpty)
                    .answer(stream, body)
                    .frames
            };
            let body = rig.body().await;
            for at in 0..=frames(1, &body).len() {
                for after in [After::Close, After::Cut] {
                    rig.poll(move |_, stream, body| Answer {
                        frames: frames(stream, body)[..at].to_vec(),
                        after,
                    })
                    .await;
                    let place = format!("{}, {at}, {after:?}", case.name);
                    if at == frames(1, &body).len() {
                        rig.expect_next(&place);
                    } else {
                        rig.expect_last(&place, &[Truncated, Unreachable]);
                    }
                    let next = rig.last.other();
                    rig.good(next).await;
                }
            }
        }
    });
}

/// A token that may have been cut is no token.
#[test]
fn a_login_that_was_cut_is_not_taken() {
    trusting("a_login_that_was_cut_is_not_taken", async |folder| {
        for case in [ENUBE, LICENCES] {
            let secret = secret("s3cret-of-the-account");
            let server = Frames::start(&folder).await;
            let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
            for form in [
                Form::new(0, End::Reset(NO_ERROR)),
                Form::new(20, End::Reset(NO_ERROR)),
                Form::new(20, End::Reset(NO_ERROR)).promising(0),
                Form::new(usize::MAX, End::Reset(NO_ERROR)),
                Form::new(usize::MAX, End::Reset(NO_ERROR)).promising(1),
                Form::new(usize::MAX, End::GoAway(NO_ERROR)),
            ] {
                let bench = Bench::new(&section, Manner::once());
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
                bench.poll().await;
                let place = format!("{}, {form:?}", case.name);
                assert_eq!(bench.reason(), Some(Truncated), "{place}");
                assert_eq!(server.lines().len(), 1, "{place}");
            }
        }
    });
}
