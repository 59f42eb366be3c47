//! Cuts a body into its JSON objects while it arrives: NDJSON, arrays, several of them, objects one after another, or
//! an array somewhere inside an object.

use crate::json::envelope::Around;

/// What is wrong with the frame around the rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Something stands where a row, a comma or a bracket should.
    #[error("unexpected byte {0:?} after row {1}")]
    Unexpected(char, u64),
    /// The body ends inside a row.
    #[error("the body ends inside row {0}")]
    InsideRow(u64),
    /// The body ends inside an array.
    #[error("the body ends inside an array, after row {0}")]
    InsideArray(u64),
    /// A row over the bound.
    #[error("row {0} is longer than {1} bytes")]
    RowTooLong(u64, usize),
    /// What stands around the rows is over the bound.
    #[error("what stands around the rows is longer than {0} bytes")]
    AroundTooLong(usize),
}

/// Where in a body the rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The rows are all there is: on lines, one after another, or in one or more arrays.
    Bare,
    /// In the array that these keys lead to, from the outermost object on. What stands around it is kept.
    Inside(&'static [&'static str]),
}

/// Who takes the rows.
pub(crate) trait TakeRows<E> {
    /// Takes the row that a text begins with, and tells its length, if it can without being told where the row ends.
    fn begins(&mut self, text: &str) -> Result<Option<usize>, E>;

    /// Takes a row from its first byte to its last.
    fn whole(&mut self, row: &[u8]) -> Result<(), E>;
}

/// Where in the frame the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of a byte order mark were seen.
    Start(usize),
    /// Outside of any array.
    Top,
    /// Outside of the array that holds the rows, in what is kept.
    Around,
    /// Behind `[`.
    ArrayStart,
    /// Behind an element of an array.
    AfterElement,
    /// Behind a comma.
    NeedElement,
    /// Inside a row; whether it is an array's element.
    Row { in_array: bool },
}

/// Where in a row the search for its end stands.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    at: usize,
    depth: u32,
    in_string: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A reader of rows that is pushed chunks.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    /// What stands around an array inside an object.
    around: Option<Around>,
    /// The bytes of an unfinished row.
    carry: Vec<u8>,
    scan: Scan,
    rows: u64,
    longest_row: usize,
}

impl Splitter {
    /// A reader that refuses rows longer than a number of bytes, and more than that around them.
    pub(crate) fn new(frame: Frame, longest_row: usize) -> Self {
        let (state, around) = match frame {
            Frame::Bare => (State::Start(0), None),
            Frame::Inside(path) => (State::Around, Some(Around::new(path, longest_row))),
        };
        Self {
            state,
            around,
            carry: Vec::new(),
            scan: Scan::default(),
            rows: 0,
            longest_row,
        }
    }

    /// How many rows were found so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the next chunk and hands on each whole row. Where chunks are cut does not matter.
    pub(crate) fn push<E: From<FrameError>>(
        &mut self,
        chunk: &[u8],
        taker: &mut impl TakeRows<E>,
    ) -> Result<(), E> {
        let mut at = 0;
        if let State::Row { in_array } = self.state {
            let carried = self.carry.len();
            self.carry.extend_from_slice(chunk);
            let Some(end) = end_of_object(&self.carry, &mut self.scan) else {
                return Ok(self.check_length(self.carry.len())?);
            };
            self.check_length(end)?;
            taker.whole(&self.carry[..end])?;
            self.end_row(in_array);
            self.carry.clear();
            at = end - carried;
        }
        let mut text = Valid::at(chunk, at);
        while let Some(&byte) = chunk.get(at) {
            self.state = match (self.state, byte) {
                (State::Start(seen), byte) if BYTE_ORDER_MARK.get(seen) == Some(&byte) => {
                    if seen + 1 == BYTE_ORDER_MARK.len() {
                        State::Top
                    } else {
                        State::Start(seen + 1)
                    }
                }
                (State::Start(0), _) => {
                    self.state = State::Top;
                    continue;
                }
                (State::Start(_), _) => return Err(self.unexpected(byte)),
                (State::Around, _) => {
                    let rows = match &mut self.around {
                        Some(around) => around.push(&chunk[at..])?,
                        None => None,
                    };
                    let Some(rows) = rows else {
                        return Ok(());
                    };
                    at += rows;
                    self.state = State::ArrayStart;
                    continue;
                }
                (state, b' ' | b'\t' | b'\r' | b'\n') => state,
                (state, b'{') if state != State::AfterElement => {
                    let in_array = state != State::Top;
                    if at >= text.end() {
                        text = Valid::at(chunk, at);
                    }
                    let rest = &chunk[at..];
                    let Some(length) = self.row(rest, text.from(at), taker)? else {
                        self.state = State::Row { in_array };
                        self.carry.extend_from_slice(rest);
                        return Ok(self.check_length(rest.len())?);
                    };
                    at += length;
                    self.end_row(in_array);
                    continue;
                }
                (State::Top, b'[') => State::ArrayStart,
                (State::ArrayStart | State::AfterElement, b']') => self.outside(),
                (State::AfterElement, b',') => State::NeedElement,
                (_, byte) => return Err(self.unexpected(byte)),
            };
            at += 1;
        }
        Ok(())
    }

    /// Says whether the body may end here, and gives back what stood around the rows, which is JSON if the body is.
    pub(crate) fn finish(self) -> Result<Vec<u8>, FrameError> {
        match self.state {
            State::Start(0) | State::Top | State::Around => {
                Ok(self.around.map(Around::into_bytes).unwrap_or_default())
            }
            State::Row { .. } => Err(FrameError::InsideRow(self.rows + 1)),
            State::Start(_) => Err(FrameError::InsideRow(1)),
            State::ArrayStart | State::AfterElement | State::NeedElement => {
                Err(FrameError::InsideArray(self.rows))
            }
        }
    }

    /// Hands on the row that the bytes begin with, if it is whole: its length. The text is as much of the bytes as is
    /// known to be one.
    fn row<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        text: &str,
        taker: &mut impl TakeRows<E>,
    ) -> Result<Option<usize>, E> {
        let bound = text.floor_char_boundary(self.longest_row);
        if let Some(length) = taker.begins(&text[..bound])? {
            return Ok(Some(length));
        }
        self.scan = Scan::default();
        let Some(end) = end_of_object(bytes, &mut self.scan) else {
            return Ok(None);
        };
        self.check_length(end)?;
        taker.whole(&bytes[..end])?;
        Ok(Some(end))
    }

    fn end_row(&mut self, in_array: bool) {
        self.rows += 1;
        self.state = if in_array {
            State::AfterElement
        } else {
            State::Top
        };
    }

    /// Behind the bracket that closes an array.
    fn outside(&self) -> State {
        if self.around.is_some() {
            State::Around
        } else {
            State::Top
        }
    }

    fn check_length(&self, length: usize) -> Result<(), FrameError> {
        if length > self.longest_row {
            return Err(FrameError::RowTooLong(self.rows + 1, self.longest_row));
        }
        Ok(())
    }

    fn unexpected<E: From<FrameError>>(&self, byte: u8) -> E {
        FrameError::Unexpected(char::from(byte), self.rows).into()
    }
}

/// As much of a chunk, from a byte on, as is UTF-8: looked at once, not once for every text in it.
#[derive(Clone, Copy)]
struct Valid<'c> {
    begin: usize,
    text: &'c str,
}

impl<'c> Valid<'c> {
    fn at(chunk: &'c [u8], begin: usize) -> Self {
        let bytes = chunk.get(begin..).unwrap_or_default();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        Self { begin, text }
    }

    fn end(&self) -> usize {
        self.begin + self.text.len()
    }

    /// What is left of it behind a byte of the chunk.
    fn from(&self, at: usize) -> &'c str {
        self.text.get(at - self.begin..).unwrap_or_default()
    }
}

/// The length of the object that the bytes begin with; `None` while its end is not there. The search goes on
/// where it stopped, so that a row that drips in costs no more than one that comes at once.
fn end_of_object(bytes: &[u8], scan: &mut Scan) -> Option<usize> {
    while let Some(rest) = bytes.get(scan.at..).filter(|rest| !rest.is_empty()) {
        if scan.in_string {
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                scan.at = bytes.len();
                return None;
            };
            if rest[found] == b'"' {
                scan.in_string = false;
                scan.at += found + 1;
            } else {
                scan.at += found + 2;
            }
            continue;
        }
        let Some(found) = memchr::memchr3(b'"', b'{', b'}', rest) else {
            scan.at = bytes.len();
            return None;
        };
        scan.at += found + 1;
        match rest[found] {
            b'"' => scan.in_string = true,
            b'{' => scan.depth += 1,
            _ => {
                scan.depth = scan.depth.saturating_sub(1);
                if scan.depth == 0 {
                    return Some(scan.at);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;
    use crate::json::fast_reader;

    /// Writes rows down, and may be one that finds the ends of plain rows itself.
    struct Notes {
        rows: Vec<String>,
        forward: bool,
    }

    impl TakeRows<FrameError> for Notes {
        fn begins(&mut self, text: &str) -> Result<Option<usize>, FrameError> {
            if !self.forward {
                return Ok(None);
            }
            let row = fast_reader::read::<IgnoredAny>(text, &mut fast_reader::Order::default());
            Ok(row.map(|(_, length)| {
                self.rows.push(text[..length].to_owned());
                length
            }))
        }

        fn whole(&mut self, row: &[u8]) -> Result<(), FrameError> {
            self.rows.push(String::from_utf8_lossy(row).into_owned());
            Ok(())
        }
    }

    const MAX_ROW: usize = 96;

    /// The rows, and what stands around them.
    fn split_in(frame: Frame, chunks: &[&[u8]]) -> Result<(Vec<String>, String), FrameError> {
        let [one, other] = [false, true].map(|forward| {
            let mut splitter = Splitter::new(frame, MAX_ROW);
            let mut notes = Notes {
                rows: Vec::new(),
                forward,
            };
            for chunk in chunks {
                splitter.push(chunk, &mut notes)?;
            }
            assert_eq!(splitter.rows(), notes.rows.len() as u64);
            let around = String::from_utf8_lossy(&splitter.finish()?).into_owned();
            Ok((notes.rows, around))
        });
        assert_eq!(one, other);
        one
    }

    fn split(chunks: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        split_in(Frame::Bare, chunks).map(|(rows, around)| {
            assert!(around.is_empty());
            rows
        })
    }

    #[test]
    fn rows_are_found_in_every_frame() {
        let two = vec![r#"{"a":1}"#.to_owned(), r#"{"b":"}\"{"}"#.to_owned()];
        for body in [
            "{\"a\":1}\n{\"b\":\"}\\\"{\"}\n",
            "{\"a\":1}\r\n\r\n{\"b\":\"}\\\"{\"}",
            "[{\"a\":1},{\"b\":\"}\\\"{\"}]",
            "[\n  {\"a\":1} ,\n  {\"b\":\"}\\\"{\"}\n]\n",
            "[{\"a\":1}][{\"b\":\"}\\\"{\"}]",
            "[{\"a\":1}]\n[]\n[{\"b\":\"}\\\"{\"}]",
            "{\"a\":1}{\"b\":\"}\\\"{\"}",
            "\u{feff}{\"a\":1}\n{\"b\":\"}\\\"{\"}\n",
        ] {
            assert_eq!(split(&[body.as_bytes()]), Ok(two.clone()), "{body}");
        }
        for empty in ["", "\n", "[]", "\u{feff}", " \r\n[] [ ]"] {
            assert_eq!(split(&[empty.as_bytes()]), Ok(vec![]), "{empty:?}");
        }
    }

    #[test]
    fn a_broken_frame_is_told() {
        for (body, want) in [
            ("{\"a\":1", FrameError::InsideRow(1)),
            ("{\"a\":1}\n{\"a\":\"", FrameError::InsideRow(2)),
            ("{\"a\":1}\n{\"a\":\"\\", FrameError::InsideRow(2)),
            ("[{\"a\":1}", FrameError::InsideArray(1)),
            ("[{\"a\":1},", FrameError::InsideArray(1)),
            ("[", FrameError::InsideArray(0)),
            ("[{\"a\":1},]", FrameError::Unexpected(']', 1)),
            ("[{\"a\":1}{\"a\":1}]", FrameError::Unexpected('{', 1)),
            ("[[{\"a\":1}]]", FrameError::Unexpected('[', 0)),
            ("{\"a\":1},{\"a\":1}", FrameError::Unexpected(',', 1)),
            ("<html>", FrameError::Unexpected('<', 0)),
            ("null", FrameError::Unexpected('n', 0)),
            ("]", FrameError::Unexpected(']', 0)),
        ] {
            assert_eq!(split(&[body.as_bytes()]), Err(want), "{body}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        assert_eq!(
            split(&[long.as_bytes()]),
            Err(FrameError::RowTooLong(1, MAX_ROW))
        );
        let drips: Vec<&[u8]> = long.as_bytes().chunks(1).collect();
        assert_eq!(split(&drips), Err(FrameError::RowTooLong(1, MAX_ROW)));
    }

    const ITEMS: Frame = Frame::Inside(&["answer", "items"]);

    #[test]
    fn the_rows_of_an_array_inside_an_object_leave_the_rest_behind() {
        for (body, rows, around) in [
            (
                r#"{"answer":{"items":[]}}"#,
                &[][..],
                r#"{"answer":{"items":[]}}"#,
            ),
            (
                r#"{"n": 2, "answer" : {"id":"[","items": [ {"a":1}, {"b":[]} ] , "c":{}}, "z":[{}]}"#,
                &[r#"{"a":1}"#, r#"{"b":[]}"#],
                r#"{"n": 2, "answer" : {"id":"[","items": [] , "c":{}}, "z":[{}]}"#,
            ),
            (
                r#"{"items":[{}],"x":{"answer":{"items":[{}]}},"answer":{"items":{}}}"#,
                &[],
                r#"{"items":[{}],"x":{"answer":{"items":[{}]}},"answer":{"items":{}}}"#,
            ),
            (
                r#"{"answer":"items","y":["answer",{"items":[1]}],"answer":{"items":[{}]},"answer":{"items":[{}]}}"#,
                &["{}", "{}"],
                r#"{"answer":"items","y":["answer",{"items":[1]}],"answer":{"items":[]},"answer":{"items":[]}}"#,
            ),
            (
                r#"{"answer":[{"items":[{}]}]}"#,
                &[],
                r#"{"answer":[{"items":[{}]}]}"#,
            ),
            (
                r#"{"answer":{"it\"ems":[{}]}"#,
                &[],
                r#"{"answer":{"it\"ems":[{}]}"#,
            ),
            ("", &[], ""),
            ("]}{,:\"", &[], "]}{,:\""),
        ] {
            let want = (
                rows.iter().map(ToString::to_string).collect(),
                around.to_owned(),
            );
            assert_eq!(
                split_in(ITEMS, &[body.as_bytes()]),
                Ok(want.clone()),
                "{body}"
            );
            let drips: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(split_in(ITEMS, &drips), Ok(want), "{body}, byte by byte");
        }
    }

    #[test]
    fn a_broken_array_inside_an_object_is_told() {
        let long = format!(r#"{{"x":"{}""#, "x".repeat(100));
        for (body, want) in [
            (r#"{"answer":{"items":["#, FrameError::InsideArray(0)),
            (r#"{"answer":{"items":[{}"#, FrameError::InsideArray(1)),
            (r#"{"answer":{"items":[{},{"a"#, FrameError::InsideRow(2)),
            (
                r#"{"answer":{"items":[1]}}"#,
                FrameError::Unexpected('1', 0),
            ),
            (
                r#"{"answer":{"items":[{},null]}}"#,
                FrameError::Unexpected('n', 1),
            ),
            (r#"{"answer":{"items":[{}}"#, FrameError::Unexpected('}', 1)),
            (&long, FrameError::AroundTooLong(MAX_ROW)),
        ] {
            assert_eq!(split_in(ITEMS, &[body.as_bytes()]), Err(want), "{body}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_own_row_alone() {
        let body = b"{\"a\":\"\xff\"}\n{\"b\":\"\xc3\xa9\"}\n{\"c\":\"\xc3\"}";
        let rows = split(&[body]).unwrap();
        assert_eq!(
            rows,
            [
                "{\"a\":\"\u{fffd}\"}",
                "{\"b\":\"é\"}",
                "{\"c\":\"\u{fffd}\"}"
            ]
        );
    }

    proptest! {
        #[test]
        fn where_chunks_are_cut_does_not_matter(
            rows in prop::collection::vec("[a-z\\\\\"{}\\[\\],é\n]{0,12}", 0..6),
            frame in 0..4usize,
            cuts in prop::collection::vec(0..200usize, 0..8),
        ) {
            let rows: Vec<String> = rows
                .iter()
                .map(|text| serde_json::json!({ "t": text }).to_string())
                .collect();
            let body = match frame {
                0 => rows.iter().fold(String::new(), |body, row| body + row + "\n"),
                1 => format!("[{}]", rows.join(",")),
                2 => rows.iter().fold(String::new(), |body, row| body + "[" + row + "]"),
                _ => format!("\u{feff}{}", rows.concat()),
            };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&body.as_bytes()[from..cut]);
                from = cut;
            }
            chunks.push(&body.as_bytes()[from..]);
            prop_assert_eq!(split(&chunks), Ok(rows));
        }
    }
}
