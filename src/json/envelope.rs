//! What stands around an array inside an object: kept, without the rows, until the body's end tells whether it is JSON.

use crate::json::row_splitter::FrameError;

/// A body without the elements of one array.
///
/// It only looks for where the array begins, and takes what is no JSON as it comes: whoever reads what was kept is told.
#[derive(Debug)]
pub(crate) struct Around {
    path: &'static [&'static str],
    longest: usize,
    bytes: Vec<u8>,
    /// How many objects and arrays are open.
    depth: usize,
    /// How many of them are objects that the path leads through, the outermost included.
    matched: usize,
    in_string: bool,
    escaped: bool,
    /// Where the last string begins and ends.
    string: (usize, usize),
    /// Behind the colon of a key that the path names.
    at_value: bool,
}

impl Around {
    pub(crate) fn new(path: &'static [&'static str], longest: usize) -> Self {
        Self {
            path,
            longest,
            bytes: Vec::new(),
            depth: 0,
            matched: 0,
            in_string: false,
            escaped: false,
            string: (0, 0),
            at_value: false,
        }
    }

    /// Keeps bytes up to the bracket that opens the array: how many that are, or `None` if all are kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.bytes.len() >= self.longest {
                return Err(FrameError::AroundTooLong(self.longest));
            }
            self.bytes.push(byte);
            if self.take(byte) {
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
    fn take(&mut self, byte: u8) -> bool {
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

    /// Whether the last string is the key that the path names next, in the object that it leads to.
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
