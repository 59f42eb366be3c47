//! The pages of a column chunk, checked before the library reads them: what they claim is what it allocates.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::{
    basic::{CompressionCodec, ConvertedType, Encoding, Type},
    column::page::Page,
    file::metadata::ColumnChunkMetaData,
    schema::types::ColumnDescriptor,
};

use super::thrift::{PageHeader, PageKind, delta_values, page_header};

/// The most pages of one chunk.
const MAX_PAGES: usize = 50_000;
/// The most values of a column that has several a row, such as the entries of a map.
const MAX_NESTED_VALUES: usize = 16 << 20;
/// How many more values than on average a batch of rows is expected to have in such a column.
const NESTED_SPREAD: usize = 4;
/// The encodings of a page's values: numbers of parquet.thrift.
const PLAIN: i32 = 0;
const PLAIN_DICTIONARY: i32 = 2;
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
const DELTA_BYTE_ARRAY: i32 = 7;
const RLE_DICTIONARY: i32 = 8;

/// A data page.
#[derive(Debug, Clone, Copy)]
struct DataPage {
    /// Of texts, the lengths come first, and are all decoded at once.
    lengths_first: bool,
    values: usize,
    size: usize,
    from_dictionary: bool,
}

/// What is known of a chunk's pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    data: Vec<DataPage>,
    /// The size of the dictionary page, and its number of entries.
    dictionary: Option<(usize, usize)>,
    largest: usize,
    is_text: bool,
    /// Whether it is read as texts that may stay a dictionary.
    may_be_dictionary: bool,
    /// The chunk's own size.
    held: usize,
    /// How many values a row may have.
    values_a_row: usize,
}

/// Checks all pages of a chunk, which must have this many values if the column has one a row.
pub(super) fn check(
    bytes: &Bytes,
    chunk: &ColumnChunkMetaData,
    rows: usize,
) -> Result<Pages, String> {
    let limit = usize::try_from(chunk.uncompressed_size()).unwrap_or(0);
    let is_flat = chunk.column_descr().max_rep_level() == 0;
    let mut pages = Pages {
        is_text: chunk.column_type() == Type::BYTE_ARRAY,
        may_be_dictionary: is_flat && chunk.column_descr().converted_type() == ConvertedType::UTF8,
        held: bytes.len(),
        ..Pages::default()
    };
    let mut rest = &bytes[..];
    let mut values = 0_usize;
    while !rest.is_empty() {
        let header = page_header(rest).ok_or("a page has no valid header")?;
        let data = rest
            .get(header.length..)
            .and_then(|data| data.get(..header.compressed))
            .ok_or("a page is longer than its column chunk")?;
        rest = &rest[header.length + header.compressed..];
        if header.uncompressed > limit {
            return Err("a page claims to be longer than its column chunk".to_owned());
        }
        if header.crc.is_some_and(|crc| crc != crc32fast::hash(data)) {
            return Err("a page does not match its checksum".to_owned());
        }
        check_gzip(&header, data, chunk.compression_codec())?;
        pages.add(&header)?;
        if let PageKind::Data { values: count, .. } | PageKind::DataV2 { values: count, .. } =
            header.kind
        {
            let count =
                usize::try_from(count).map_err(|_| "a page has a negative number of values")?;
            values = values.saturating_add(count);
        }
    }
    let claimed = usize::try_from(chunk.num_values()).unwrap_or(usize::MAX);
    if values != claimed || is_flat && values != rows {
        return Err(format!(
            "its pages have {values} values, but the row group has {rows} rows"
        ));
    }
    if !is_flat && values > MAX_NESTED_VALUES {
        return Err(format!("it has more than {MAX_NESTED_VALUES} values"));
    }
    pages.values_a_row = if is_flat {
        1
    } else {
        values.div_ceil(rows.max(1)).saturating_mul(NESTED_SPREAD)
    };
    Ok(pages)
}

/// Refuses a page of texts that claims more lengths than values: the library makes room for all of them.
pub(super) fn check_lengths(page: &Page, column: &ColumnDescriptor) -> Result<(), String> {
    let claimed = match page {
        Page::DataPage {
            buf,
            encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
            ..
        } => {
            let levels = [column.max_rep_level(), column.max_def_level()];
            let mut rest = Some(&buf[..]);
            for _ in levels.into_iter().filter(|level| *level > 0) {
                rest = rest.and_then(|rest| {
                    let (length, rest) = rest.split_first_chunk::<4>()?;
                    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
                });
            }
            rest
        }
        Page::DataPageV2 {
            buf,
            encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => usize::try_from(u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len))
            .ok()
            .and_then(|levels| buf.get(levels..)),
        _ => return Ok(()),
    };
    match claimed.map(|bytes| (bytes.is_empty(), delta_values(bytes))) {
        Some((true, _)) => Ok(()),
        Some((false, Some(count))) if count <= u64::from(page.num_values()) => Ok(()),
        _ => Err("a page claims more texts than it has values".to_owned()),
    }
}

/// The library inflates a page without a limit, so its length is found out before.
fn check_gzip(header: &PageHeader, data: &[u8], codec: CompressionCodec) -> Result<(), String> {
    let (levels, is_compressed) = match header.kind {
        PageKind::DataV2 {
            levels,
            is_compressed,
            ..
        } => (levels, is_compressed),
        PageKind::Data { .. } | PageKind::Dictionary { .. } => (0, true),
        PageKind::Other => return Ok(()),
    };
    if codec != CompressionCodec::GZIP || !is_compressed {
        return Ok(());
    }
    let levels = usize::try_from(levels).map_err(|_| "a page has negative levels")?;
    let (Some(data), Some(want)) = (data.get(levels..), header.uncompressed.checked_sub(levels))
    else {
        return Err("a page has more levels than bytes".to_owned());
    };
    if want == 0 {
        return Ok(());
    }
    let mut inflated = MultiGzDecoder::new(data);
    let mut buffer = [0; 16 * 1024];
    let mut length = 0;
    loop {
        match inflated.read(&mut buffer) {
            Ok(0) if length == want => return Ok(()),
            Ok(read) if read > 0 && length + read <= want => length += read,
            _ => {
                return Err("a page cannot be decompressed to the length that it claims".to_owned());
            }
        }
    }
}

impl Pages {
    fn add(&mut self, header: &PageHeader) -> Result<(), String> {
        self.largest = self.largest.max(header.uncompressed);
        let (values, encoding) = match header.kind {
            PageKind::Other => return Ok(()),
            PageKind::Dictionary { values } => {
                let values = usize::try_from(values).unwrap_or(usize::MAX);
                let least = if self.is_text { 4 } else { 1 };
                if values
                    .checked_mul(least)
                    .is_none_or(|least| least > header.uncompressed)
                {
                    return Err("a dictionary claims more entries than it has bytes".to_owned());
                }
                if self.dictionary.is_some() || !self.data.is_empty() {
                    return Err("a dictionary is not the first page".to_owned());
                }
                self.dictionary = Some((header.uncompressed, values));
                return Ok(());
            }
            PageKind::Data { values, encoding }
            | PageKind::DataV2 {
                values, encoding, ..
            } => (values, encoding),
        };
        let is_known = matches!(
            encoding,
            PLAIN | PLAIN_DICTIONARY | RLE_DICTIONARY | DELTA_LENGTH_BYTE_ARRAY
        );
        if self.is_text && !is_known {
            // Texts that share their beginnings may be any number of times longer in memory.
            let which = match encoding {
                DELTA_BYTE_ARRAY => "DELTA_BYTE_ARRAY",
                _ => "an unknown encoding",
            };
            return Err(format!(
                "it is written with {which}; texts can be read in PLAIN, dictionary and DELTA_LENGTH_BYTE_ARRAY encoding"
            ));
        }
        if self.data.len() >= MAX_PAGES {
            return Err(format!("it has more than {MAX_PAGES} pages"));
        }
        self.data.push(DataPage {
            lengths_first: self.is_text && encoding == DELTA_LENGTH_BYTE_ARRAY,
            values: usize::try_from(values).unwrap_or(usize::MAX),
            size: header.uncompressed,
            from_dictionary: matches!(encoding, PLAIN_DICTIONARY | RLE_DICTIONARY),
        });
        Ok(())
    }

    /// Whether the column can stay a dictionary in memory: all of its pages refer to it.
    pub(super) fn is_dictionary(&self) -> bool {
        self.may_be_dictionary
            && self.dictionary.is_some()
            && self.data.iter().all(|page| page.from_dictionary)
    }

    /// How many bytes reading this many rows at once takes at most, beside the values of fixed length. `longest` is that
    /// of the dictionary's entries.
    pub(super) fn memory(&self, rows: usize, longest: usize) -> usize {
        let rows = rows.saturating_mul(self.values_a_row.max(1));
        let dictionary = self.dictionary.map_or(0, |(size, entries)| {
            // The page, and its entries with their offsets.
            size.saturating_mul(2)
                .saturating_add(entries.saturating_mul(8))
        });
        let texts = if self.is_text && !self.is_dictionary() {
            self.texts(rows, longest)
        } else {
            0
        };
        [
            self.held,
            dictionary,
            self.largest,
            texts,
            rows.saturating_mul(16),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// The most bytes of texts in this many values, from a multiple of their number on.
    fn texts(&self, rows: usize, longest: usize) -> usize {
        let (mut most, mut current, mut at) = (0_usize, 0_usize, 0_usize);
        for page in &self.data {
            let bytes = |values: usize| {
                if page.from_dictionary {
                    values.min(rows).saturating_mul(longest)
                } else if page.lengths_first {
                    page.values.saturating_mul(4).saturating_add(page.size)
                } else {
                    page.size
                }
            };
            current = current.saturating_add(bytes(page.values));
            most = most.max(current);
            at = at.saturating_add(page.values);
            if at >= rows {
                // The page goes on in the next batch, or ends this one.
                current = if at % rows == 0 {
                    0
                } else {
                    bytes(page.values)
                };
                at %= rows;
            }
        }
        // Appending doubles a buffer that is full.
        most.saturating_mul(2)
    }

    /// Whether pages must be decompressed to know how many lengths they claim.
    pub(super) fn has_lengths(&self) -> bool {
        self.data.iter().any(|page| page.lengths_first)
    }

    /// Whether the length of the dictionary's longest text matters: texts are copied out of it.
    pub(super) fn needs_longest(&self) -> bool {
        self.is_text && self.dictionary.is_some() && !self.is_dictionary()
    }
}

#[cfg(test)]
mod tests {
    use parquet::{basic::Type as PhysicalType, schema::types};

    use super::*;

    #[test]
    fn more_lengths_than_values_are_refused() {
        let text = types::Type::primitive_type_builder("text", PhysicalType::BYTE_ARRAY);
        let column = ColumnDescriptor::new(
            text.build().unwrap().into(),
            1,
            0,
            types::ColumnPath::new(Vec::new()),
        );
        // Levels of 2 bytes, then blocks of 128, 4 parts, and the number of lengths.
        for (count, is_refused) in [
            (&[3][..], false),
            (&[4], true),
            (&[0xff, 0xff, 0xff, 0xff, 7], true),
            (&[0x80], true),
        ] {
            let values = [&[0x80, 1, 4], count].concat();
            let v1 = Page::DataPage {
                buf: [&[2, 0, 0, 0, 6, 1][..], &values].concat().into(),
                num_values: 3,
                encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let v2 = Page::DataPageV2 {
                buf: [&[6, 1][..], &values].concat().into(),
                num_values: 3,
                encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
                num_nulls: 0,
                num_rows: 3,
                def_levels_byte_len: 2,
                rep_levels_byte_len: 0,
                is_compressed: false,
                statistics: None,
            };
            for page in [v1, v2] {
                assert_eq!(
                    check_lengths(&page, &column).is_err(),
                    is_refused,
                    "{count:?}"
                );
            }
        }
    }
}
