//! Splits a body into its JSON objects while it arrives: NDJSON, one or several arrays, concatenated objects, or an
//! array inside an object.

use super::envelope::Envelope;

/// An error in the framing of the rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A byte where a row, a comma or a bracket is expected.
    #[error("unexpected byte {0:?} after row {1}")]
    Unexpected(char, u64),
    /// The body ends inside a row.
    #[error("the body ends inside row {0}")]
    InsideRow(u64),
    /// The body ends inside an array.
    #[error("the body ends inside an array, after row {0}")]
    InsideArray(u64),
    /// A row over the limit.
    #[error("row {0} is longer than {1} bytes")]
    RowTooLong(u64, usize),
    /// The rest of the body is over the limit.
    #[error("the response without its rows is longer than {0} bytes")]
    EnvelopeTooLong(usize),
}

/// Where in a body the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Nothing but rows: one per line, concatenated, or in one or more arrays.
    Bare,
    /// In the array at this path of keys, from the outermost object on. The rest of the body is kept.
    Inside(&'static [&'static str]),
}

/// Receives the rows.
pub(crate) trait RowHandler<E> {
    /// Handles the row at the beginning of a text and returns its length, if it can find the end of the row itself.
    fn try_prefix(&mut self, text: &str) -> Result<Option<usize>, E>;

    /// Handles one whole row.
    fn row(&mut self, row: &[u8]) -> Result<(), E>;
}

/// Where in the framing the splitter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start, after this many bytes of a byte order mark.
    Start(usize),
    /// Outside every array.
    Top,
    /// Outside the array that holds the rows.
    Envelope,
    /// After `[`.
    ArrayStart,
    /// After an element of an array.
    AfterElement,
    /// After a comma.
    NeedElement,
    /// Inside a row, which may be an element of an array.
    Row { in_array: bool },
}

/// How far the search for the end of a row has come.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    at: usize,
    depth: u32,
    in_string: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Splits a body that arrives in chunks into its rows.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    /// The rest of the body, where the rows are in an array inside an object.
    envelope: Option<Envelope>,
    /// The bytes of an unfinished row.
    carry: Vec<u8>,
    scan: Scan,
    rows: u64,
    max_row: usize,
}

impl Splitter {
    /// A splitter that refuses rows over a length, and an envelope over it.
    pub(crate) fn new(frame: Frame, max_row: usize) -> Self {
        let (state, envelope) = match frame {
            Frame::Bare => (State::Start(0), None),
            Frame::Inside(path) => (State::Envelope, Some(Envelope::new(path, max_row))),
        };
        Self {
            state,
            envelope,
            carry: Vec::new(),
            scan: Scan::default(),
            rows: 0,
            max_row,
        }
    }

    /// How many rows were found so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads the next chunk and passes on each whole row. Chunks may be cut anywhere.
    pub(crate) fn push<E: From<FrameError>>(
        &mut self,
        chunk: &[u8],
        handler: &mut impl RowHandler<E>,
    ) -> Result<(), E> {
        let mut at = 0;
        if let State::Row { in_array } = self.state {
            let carried = self.carry.len();
            self.carry.extend_from_slice(chunk);
            let Some(end) = end_of_object(&self.carry, &mut self.scan) else {
                return Ok(self.check_length(self.carry.len())?);
            };
            self.check_length(end)?;
            handler.row(&self.carry[..end])?;
            self.end_row(in_array);
            self.carry.clear();
            at = end - carried;
        }
        let mut text = ValidText::at(chunk, at);
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
                (State::Envelope, _) => {
                    let rows = match &mut self.envelope {
                        Some(envelope) => envelope.push(&chunk[at..])?,
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
                        text = ValidText::at(chunk, at);
                    }
                    let rest = &chunk[at..];
                    let Some(length) = self.next_row(rest, text.from(at), handler)? else {
                        self.state = State::Row { in_array };
                        self.carry.extend_from_slice(rest);
                        return Ok(self.check_length(rest.len())?);
                    };
                    at += length;
                    self.end_row(in_array);
                    continue;
                }
                (State::Top, b'[') => State::ArrayStart,
                (State::ArrayStart | State::AfterElement, b']') => self.after_array(),
                (State::AfterElement, b',') => State::NeedElement,
                (_, byte) => return Err(self.unexpected(byte)),
            };
            at += 1;
        }
        Ok(())
    }

    /// Ends the body, if it may end here. Returns the envelope, which is JSON if the body is.
    pub(crate) fn finish(self) -> Result<Vec<u8>, FrameError> {
        match self.state {
            State::Start(0) | State::Top | State::Envelope => {
                Ok(self.envelope.map(Envelope::into_bytes).unwrap_or_default())
            }
            State::Row { .. } => Err(FrameError::InsideRow(self.rows + 1)),
            State::Start(_) => Err(FrameError::InsideRow(1)),
            State::ArrayStart | State::AfterElement | State::NeedElement => {
                Err(FrameError::InsideArray(self.rows))
            }
        }
    }

    /// Passes on the row at the beginning of the bytes, if it is whole, and returns its length. The text is as much of
    /// the bytes as is valid UTF-8.
    fn next_row<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        text: &str,
        handler: &mut impl RowHandler<E>,
    ) -> Result<Option<usize>, E> {
        let bound = text.floor_char_boundary(self.max_row);
        if let Some(length) = handler.try_prefix(&text[..bound])? {
            return Ok(Some(length));
        }
        self.scan = Scan::default();
        let Some(end) = end_of_object(bytes, &mut self.scan) else {
            return Ok(None);
        };
        self.check_length(end)?;
        handler.row(&bytes[..end])?;
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

    /// The state after the bracket that closes an array.
    fn after_array(&self) -> State {
        if self.envelope.is_some() {
            State::Envelope
        } else {
            State::Top
        }
    }

    fn check_length(&self, length: usize) -> Result<(), FrameError> {
        if length > self.max_row {
            return Err(FrameError::RowTooLong(self.rows + 1, self.max_row));
        }
        Ok(())
    }

    fn unexpected<E: From<FrameError>>(&self, byte: u8) -> E {
        FrameError::Unexpected(char::from(byte), self.rows).into()
    }
}

/// The part of a chunk, from a byte on, that is valid UTF-8: checked once, not once for every string in it.
#[derive(Clone, Copy)]
struct ValidText<'c> {
    begin: usize,
    text: &'c str,
}

impl<'c> ValidText<'c> {
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

    /// The rest of it, from a byte of the chunk on.
    fn from(&self, at: usize) -> &'c str {
        self.text.get(at - self.begin..).unwrap_or_default()
    }
}

/// The length of the object at the beginning of the bytes; `None` until its end has arrived. The search continues where
/// it stopped, so a row that arrives byte by byte costs no more than one that arrives at once.
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
mod tests;
