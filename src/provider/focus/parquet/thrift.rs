//! Thrift's compact protocol, as much of it as checks of a Parquet file need before the library reads it: the header of a
//! page, and the shape of a footer. Source: parquet-format, parquet.thrift.

/// How deep values may be nested.
const MAX_DEPTH: usize = 32;

/// The types of fields.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// A reader of values, one after the other. `None` is an error everywhere.
#[derive(Debug)]
struct Reader<'a> {
    rest: &'a [u8],
}

/// A field of a struct: its id and type.
type Field = (i16, u8);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn i64(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn i32(&mut self, kind: u8) -> Option<i32> {
        if kind != I32 {
            return None;
        }
        i32::try_from(self.i64()?).ok()
    }

    /// The next field of a struct after the field of this id; of type [`STOP`] at the end of the struct.
    fn field(&mut self, last: &mut i16) -> Option<Field> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if byte == STOP {
            return Some((*last, STOP));
        }
        *last = match byte >> 4 {
            0 => i16::try_from(self.i64()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        Some((*last, kind))
    }

    /// The number of elements of a list, and their type.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        // Each element takes at least one byte.
        (count <= self.rest.len() as u64).then_some((count, byte & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            TRUE | FALSE => {}
            I8 => self.skip_bytes(1)?,
            I16 | I32 | I64 => drop(self.varint()?),
            DOUBLE => self.skip_bytes(8)?,
            BINARY => {
                let length = self.varint()?;
                self.skip_bytes(length)?;
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, depth)?;
                }
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)?;
                }
            }
            STRUCT => self.structure(|reader, (_, kind)| reader.skip(kind, depth + 1))?,
            _ => return None,
        }
        Some(())
    }

    /// In lists and maps, a truth value takes a byte.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => self.skip_bytes(1),
            kind => self.skip(kind, depth + 1),
        }
    }

    /// Reads a struct; each field is read by the function.
    fn structure(&mut self, mut read: impl FnMut(&mut Self, Field) -> Option<()>) -> Option<()> {
        let mut last = 0;
        loop {
            match self.field(&mut last)? {
                (_, STOP) => return Some(()),
                field => read(self, field)?,
            }
        }
    }

    /// Reads a list of structs; each element is read by the function.
    fn structures(
        &mut self,
        kind: u8,
        mut read: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<u64> {
        let (count, element) = (kind == LIST).then(|| self.list())??;
        if element != STRUCT {
            return (count == 0).then_some(0);
        }
        for _ in 0..count {
            read(self)?;
        }
        Some(count)
    }
}

/// What kind of page a header belongs to, with its number of values and their encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary {
        values: i32,
    },
    Data {
        values: i32,
        encoding: i32,
    },
    DataV2 {
        values: i32,
        encoding: i32,
        levels: i64,
        is_compressed: bool,
    },
    Other,
}

/// The header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Its own length in bytes.
    pub(super) length: usize,
    pub(super) compressed: usize,
    pub(super) uncompressed: usize,
    pub(super) crc: Option<u32>,
    pub(super) kind: PageKind,
}

/// Reads the header of a page at the start of some bytes.
pub(super) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut reader = Reader { rest: bytes };
    let (mut kind, mut sizes, mut crc) = (None, [None; 2], None);
    let mut header = None;
    reader.structure(|reader, (id, field)| {
        match id {
            1 => kind = Some(reader.i32(field)?),
            2 | 3 => sizes[usize::from(id == 3)] = usize::try_from(reader.i32(field)?).ok(),
            4 => crc = Some(reader.i32(field)?.cast_unsigned()),
            5 | 7 | 8 if field == STRUCT => header = Some((id, kind_header(reader)?)),
            _ => reader.skip(field, 0)?,
        }
        Some(())
    })?;
    let [uncompressed, compressed] = sizes;
    let kind = match (kind?, header) {
        (0, Some((5, [values, encoding, ..]))) => PageKind::Data {
            values: i32::try_from(values?).ok()?,
            encoding: i32::try_from(encoding?).ok()?,
        },
        (2, Some((7, [values, ..]))) => PageKind::Dictionary {
            values: i32::try_from(values?).ok()?,
        },
        (
            3,
            Some((
                8,
                [
                    values,
                    _,
                    _,
                    encoding,
                    definition,
                    repetition,
                    is_compressed,
                ],
            )),
        ) => PageKind::DataV2 {
            values: i32::try_from(values?).ok()?,
            encoding: i32::try_from(encoding?).ok()?,
            levels: definition?.checked_add(repetition?)?,
            is_compressed: is_compressed != Some(0),
        },
        (0 | 2 | 3, _) => return None,
        _ => PageKind::Other,
    };
    Some(PageHeader {
        length: bytes.len() - reader.rest.len(),
        compressed: compressed?,
        uncompressed: uncompressed?,
        crc,
        kind,
    })
}

/// The first seven fields of the header of one kind of page, as far as they are numbers or truth values.
fn kind_header(reader: &mut Reader<'_>) -> Option<[Option<i64>; 7]> {
    let mut fields = [None; 7];
    reader.structure(|reader, (id, kind)| {
        let at = usize::try_from(id - 1).ok().filter(|at| *at < fields.len());
        match (at, kind) {
            (Some(at), I32) => fields[at] = Some(i64::from(reader.i32(I32)?)),
            (Some(at), TRUE | FALSE) => fields[at] = Some(i64::from(kind == TRUE)),
            _ => reader.skip(kind, 0)?,
        }
        Some(())
    })?;
    Some(fields)
}

/// The number of values that a block of delta encoding claims at its start, after the length of its blocks and the number
/// of their parts. It is no Thrift, but its numbers are written alike.
pub(super) fn delta_values(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader { rest: bytes };
    reader.varint()?;
    reader.varint()?;
    reader.varint()
}

/// How much a footer makes of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FooterShape {
    /// The number of columns and groups of columns.
    pub(super) schema: u64,
    /// How deep groups are nested.
    pub(super) depth: usize,
    /// The number of column chunks in all row groups.
    pub(super) chunks: u64,
}

/// The shape of a footer.
pub(super) fn footer_shape(bytes: &[u8]) -> Option<FooterShape> {
    let mut shape = FooterShape::default();
    // How many children are still to come, of each group that is open.
    let mut open: Vec<i32> = Vec::new();
    let mut reader = Reader { rest: bytes };
    reader.structure(|reader, (id, kind)| {
        match id {
            2 => {
                shape.schema = reader.structures(kind, |reader| {
                    let mut children = 0;
                    reader.structure(|reader, (id, kind)| match id {
                        5 => {
                            children = reader.i32(kind)?;
                            Some(())
                        }
                        _ => reader.skip(kind, 0),
                    })?;
                    if let Some(left) = open.last_mut() {
                        *left -= 1;
                    }
                    if children > 0 {
                        open.push(children);
                        shape.depth = shape.depth.max(open.len());
                    }
                    while open.last().is_some_and(|left| *left <= 0) {
                        open.pop();
                    }
                    Some(())
                })?;
            }
            4 => {
                reader.structures(kind, |reader| {
                    reader.structure(|reader, (id, kind)| {
                        if id == 1 {
                            shape.chunks +=
                                reader.structures(kind, |reader| reader.skip(STRUCT, 0))?;
                            return Some(());
                        }
                        reader.skip(kind, 0)
                    })
                })?;
            }
            _ => reader.skip(kind, 0)?,
        }
        Some(())
    })?;
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as parquet.thrift describes it: a data page, 100 bytes from 40, a checksum, 8 values, PLAIN, RLE levels.
    const DATA: &[u8] = &[
        0x15, 0, 0x15, 0xc8, 1, 0x15, 80, 0x15, 1, 0x1c, 0x15, 16, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0,
    ];

    #[test]
    fn header_of_a_page_is_read() {
        let header = page_header(&[DATA, b"data"].concat()).unwrap();
        let want = PageHeader {
            length: DATA.len(),
            compressed: 40,
            uncompressed: 100,
            crc: Some(u32::MAX),
            kind: PageKind::Data {
                values: 8,
                encoding: 0,
            },
        };
        assert_eq!(header, want);
        // A dictionary page with 3 values.
        let header =
            page_header(&[0x15, 4, 0x15, 20, 0x15, 20, 0x4c, 0x15, 6, 0x15, 0, 0, 0]).unwrap();
        assert_eq!(header.kind, PageKind::Dictionary { values: 3 });
        assert_eq!((header.length, header.crc), (13, None));
    }

    #[test]
    fn cut_or_changed_header_is_no_panic() {
        for cut in 0..DATA.len() {
            assert_eq!(page_header(&DATA[..cut]), None, "{cut}");
        }
        for at in 0..DATA.len() {
            for value in 0..=255 {
                let mut changed = DATA.to_vec();
                changed[at] = value;
                let _ = (page_header(&changed), footer_shape(&changed));
            }
        }
    }

    #[test]
    fn negative_sizes_are_no_header() {
        for at in [3, 6] {
            let mut changed = DATA.to_vec();
            changed[at] |= 1;
            assert_eq!(page_header(&changed), None);
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = vec![0x1c; 1_000_000];
        assert_eq!((page_header(&deep), footer_shape(&deep)), (None, None));
        let lists = vec![0x19; 1_000_000];
        assert_eq!((page_header(&lists), footer_shape(&lists)), (None, None));
    }
}
