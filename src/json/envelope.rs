//! The envelope of the rows: the rest of an object that holds them in an array, kept to be decoded at the end.

use super::row_splitter::FrameError;

/// A body without the elements of one array.
///
/// It only finds where the array begins, and keeps invalid JSON as it is: decoding what was kept finds the error.
#[derive(Debug)]
pub(crate) struct Envelope {
    path: &'static [&'static str],
    max_length: usize,
    bytes: Vec<u8>,
    /// How many objects and arrays are open.
    depth: usize,
    /// How many of them are objects on the path, the outermost included.
    matched: usize,
    in_string: bool,
    escaped: bool,
    /// Where the last string starts and ends.
    string: (usize, usize),
    /// After the colon of a key that the path names.
    at_value: bool,
}

impl Envelope {
    pub(crate) fn new(path: &'static [&'static str], max_length: usize) -> Self {
        Self {
            path,
            max_length,
            bytes: Vec::new(),
            depth: 0,
            matched: 0,
            in_string: false,
            escaped: false,
            string: (0, 0),
            at_value: false,
        }
    }

    /// Keeps bytes up to the bracket that opens the array, and returns how many these are; `None` if all are kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.bytes.len() >= self.max_length {
                return Err(FrameError::EnvelopeTooLong(self.max_length));
            }
            self.bytes.push(byte);
            if self.opens_rows(byte) {
                // The array is kept as an empty one.
                self.bytes.push(b']');
                return Ok(Some(at + 1));
            }
        }
        Ok(None)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether a byte opens the array.
    fn opens_rows(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.string.1 = self.bytes.len() - 1;
                }
                _ => {}
            }
            return false;
        }
        let at_value = self.at_value;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return false,
            b'"' => {
                self.in_string = true;
                self.string.0 = self.bytes.len();
            }
            b':' => {
                self.at_value = self.is_next_key();
                return false;
            }
            b'{' => {
                if self.depth == 0 || (at_value && self.matched < self.path.len()) {
                    self.matched += 1;
                }
                self.depth += 1;
            }
            b'[' => {
                if at_value && self.matched == self.path.len() {
                    self.at_value = false;
                    return true;
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.matched = self.matched.min(self.depth);
            }
            _ => {}
        }
        self.at_value = false;
        false
    }

    /// Whether the last string is the next key of the path, in the object that the path has led to.
    fn is_next_key(&self) -> bool {
        let (from, to) = self.string;
        let wanted = self
            .matched
            .checked_sub(1)
            .and_then(|number| self.path.get(number));
        self.depth == self.matched
            && wanted.is_some_and(|key| self.bytes.get(from..to) == Some(key.as_bytes()))
    }
}
