//! Cuts a body into its JSON objects while it arrives: NDJSON, arrays, several of them, or objects one after another.

/// What is wrong with the frame around the rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
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
}

/// Where in the frame the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of a byte order mark were seen.
    Start(usize),
    /// Outside of any array.
    Top,
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
    /// The bytes of an unfinished row.
    carry: Vec<u8>,
    scan: Scan,
    rows: u64,
    longest_row: usize,
}

impl Splitter {
    /// A reader that refuses rows longer than a number of bytes.
    pub(crate) fn new(longest_row: usize) -> Self {
        Self {
            state: State::Start(0),
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

    /// Takes the next chunk and calls `on_row` with each whole row. Where chunks are cut does not matter.
    pub(crate) fn push<E: From<FrameFault>>(
        &mut self,
        chunk: &[u8],
        on_row: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = chunk;
        if let State::Row { in_array } = self.state {
            let carried = self.carry.len();
            self.carry.extend_from_slice(rest);
            let Some(end) = end_of_object(&self.carry, &mut self.scan) else {
                return Ok(self.check_length(self.carry.len())?);
            };
            self.check_length(end)?;
            on_row(&self.carry[..end])?;
            self.end_row(in_array);
            self.carry.clear();
            rest = &rest[end - carried..];
        }
        while let Some((&byte, after)) = rest.split_first() {
            let next = match (self.state, byte) {
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
                (state, b' ' | b'\t' | b'\r' | b'\n') => state,
                (state, b'{') if state != State::AfterElement => {
                    let in_array = state != State::Top;
                    self.scan = Scan::default();
                    let Some(end) = end_of_object(rest, &mut self.scan) else {
                        self.state = State::Row { in_array };
                        self.carry.extend_from_slice(rest);
                        return Ok(self.check_length(rest.len())?);
                    };
                    self.check_length(end)?;
                    on_row(&rest[..end])?;
                    self.end_row(in_array);
                    rest = &rest[end..];
                    continue;
                }
                (State::Top, b'[') => State::ArrayStart,
                (State::ArrayStart | State::AfterElement, b']') => State::Top,
                (State::AfterElement, b',') => State::NeedElement,
                (_, byte) => return Err(self.unexpected(byte)),
            };
            self.state = next;
            rest = after;
        }
        Ok(())
    }

    /// Says whether the body may end here.
    pub(crate) fn finish(&self) -> Result<(), FrameFault> {
        match self.state {
            State::Start(0) | State::Top => Ok(()),
            State::Row { .. } => Err(FrameFault::InsideRow(self.rows + 1)),
            State::Start(_) => Err(FrameFault::InsideRow(1)),
            State::ArrayStart | State::AfterElement | State::NeedElement => {
                Err(FrameFault::InsideArray(self.rows))
            }
        }
    }

    fn end_row(&mut self, in_array: bool) {
        self.rows += 1;
        self.state = if in_array {
            State::AfterElement
        } else {
            State::Top
        };
    }

    fn check_length(&self, length: usize) -> Result<(), FrameFault> {
        if length > self.longest_row {
            return Err(FrameFault::RowTooLong(self.rows + 1, self.longest_row));
        }
        Ok(())
    }

    fn unexpected<E: From<FrameFault>>(&self, byte: u8) -> E {
        FrameFault::Unexpected(char::from(byte), self.rows).into()
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

    use super::*;

    fn split(chunks: &[&[u8]]) -> Result<Vec<String>, FrameFault> {
        let mut splitter = Splitter::new(64);
        let mut rows = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, &mut |row: &[u8]| {
                rows.push(String::from_utf8_lossy(row).into_owned());
                Ok::<_, FrameFault>(())
            })?;
        }
        splitter.finish()?;
        assert_eq!(splitter.rows(), rows.len() as u64);
        Ok(rows)
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
            ("{\"a\":1", FrameFault::InsideRow(1)),
            ("{\"a\":1}\n{\"a\":\"", FrameFault::InsideRow(2)),
            ("{\"a\":1}\n{\"a\":\"\\", FrameFault::InsideRow(2)),
            ("[{\"a\":1}", FrameFault::InsideArray(1)),
            ("[{\"a\":1},", FrameFault::InsideArray(1)),
            ("[", FrameFault::InsideArray(0)),
            ("[{\"a\":1},]", FrameFault::Unexpected(']', 1)),
            ("[{\"a\":1}{\"a\":1}]", FrameFault::Unexpected('{', 1)),
            ("[[{\"a\":1}]]", FrameFault::Unexpected('[', 0)),
            ("{\"a\":1},{\"a\":1}", FrameFault::Unexpected(',', 1)),
            ("<html>", FrameFault::Unexpected('<', 0)),
            ("null", FrameFault::Unexpected('n', 0)),
            ("]", FrameFault::Unexpected(']', 0)),
        ] {
            assert_eq!(split(&[body.as_bytes()]), Err(want), "{body}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        assert_eq!(
            split(&[long.as_bytes()]),
            Err(FrameFault::RowTooLong(1, 64))
        );
        let drips: Vec<&[u8]> = long.as_bytes().chunks(1).collect();
        assert_eq!(split(&drips), Err(FrameFault::RowTooLong(1, 64)));
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
