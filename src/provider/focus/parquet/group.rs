//! One row group: its chunks to the library, its batches to the fold.

use std::{
    iter,
    sync::{Arc, PoisonError},
};

use arrow_array::{ArrayRef, RecordBatch, cast::AsArray, types::Int32Type};
use bytes::{Buf, Bytes, buf};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups},
    column::page::{Page, PageIterator, PageReader},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{ParquetMetaData, RowGroupMetaData},
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
};

use crate::{
    charge::Sink,
    error::ProviderError,
    provider::focus::{charges::RowFold, context::Table, reading::Reading, values::Times},
};

use super::{
    GroupError, MAX_AT_ONCE,
    cells::BatchCells,
    pages::{self, Pages},
    projection::{Projection, leaf_name},
    too_large,
};

/// How many rows are decoded at once, the most first; fewer where the texts of so many would take too much memory.
const BATCH_ROWS: [usize; 4] = [8192, 1024, 128, 16];

/// Reads the row groups of one file.
pub(super) struct GroupReader {
    pub(super) reading: Reading,
    pub(super) fold: RowFold,
    table: Arc<Table>,
    projection: Arc<Projection>,
    metadata: Arc<ParquetMetaData>,
    times: Times,
    /// The dictionaries of the batch before. They are held, so that no other one is at the same address.
    dictionaries: Vec<ArrayRef>,
}

impl GroupReader {
    pub(super) fn new(
        reading: Reading,
        table: Arc<Table>,
        projection: Arc<Projection>,
        metadata: Arc<ParquetMetaData>,
    ) -> Self {
        Self {
            fold: RowFold::new(&reading, Arc::clone(&table)),
            reading,
            table,
            projection,
            metadata,
            times: Times::default(),
            dictionaries: Vec::new(),
        }
    }

    /// Reads one row group from the bytes of its needed column chunks.
    pub(super) fn read(mut self, index: usize, chunks: Vec<Bytes>) -> Result<Self, ProviderError> {
        let place = Arc::clone(&self.reading.place);
        let sink = Arc::clone(&self.reading.sink);
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = usize::try_from(self.metadata.row_group(index).num_rows()).unwrap_or(0);
        let (batches, group) = self
            .open(index, rows, chunks)
            .map_err(|error| error.at(&place, index))?;
        let mut read = 0;
        let malformed = |problem: String| GroupError::Malformed(problem).at(&place, index);
        for batch in batches {
            let batch = batch.map_err(|error| {
                malformed("it cannot be decoded".to_owned()).because(error.to_string())
            })?;
            read += batch.num_rows();
            self.batch(index, &batch, &mut *sink)?;
        }
        drop(group);
        if read != rows {
            return Err(malformed(format!(
                "it has {read} rows, and not {rows} as the footer says"
            )));
        }
        self.dictionaries.clear();
        Ok(self)
    }

    /// Checks the pages of all chunks and begins to read them.
    fn open(
        &self,
        index: usize,
        rows: usize,
        chunks: Vec<Bytes>,
    ) -> Result<(ParquetRecordBatchReader, Group), GroupError> {
        let row_group = self.metadata.row_group(index);
        let library =
            |error: ParquetError| GroupError::Malformed(format!("it cannot be decoded: {error}"));
        let mut checked: Vec<(Pages, usize)> = Vec::new();
        let mut group = Group {
            metadata: Arc::clone(&self.metadata),
            index,
            rows,
            chunks: Vec::new(),
        };
        for (&leaf, bytes) in self.projection.leaves.iter().zip(chunks) {
            let chunk = row_group.column(leaf);
            let invalid = |problem: String| {
                let name = leaf_name(&self.metadata, leaf);
                GroupError::Malformed(format!("column {name}: {problem}"))
            };
            let pages = pages::check(&bytes, chunk, rows).map_err(invalid)?;
            let (start, _) = chunk.byte_range();
            group
                .chunks
                .push((leaf, Arc::new(ChunkBytes { start, bytes })));
            let longest = if pages.needs_longest() {
                let first = group
                    .pages(group.chunks.len() - 1)
                    .map_err(library)?
                    .get_next_page();
                longest_entry(first.map_err(library)?.as_ref())
            } else {
                0
            };
            if pages.has_lengths() {
                for page in group.pages(group.chunks.len() - 1).map_err(library)? {
                    let page = page.map_err(library)?;
                    pages::check_lengths(&page, chunk.column_descr()).map_err(invalid)?;
                }
            }
            checked.push((pages, longest));
        }
        let memory = |rows: usize| {
            let memory = checked
                .iter()
                .map(|(pages, longest)| pages.memory(rows, *longest));
            memory.fold(0, usize::saturating_add)
        };
        let fits = BATCH_ROWS
            .into_iter()
            .find(|rows| memory(*rows) <= MAX_AT_ONCE);
        let least = BATCH_ROWS[BATCH_ROWS.len() - 1];
        let batch_rows = fits.ok_or_else(|| too_large(memory(least) as u64))?;
        let levels = self
            .projection
            .levels(|leaf| checked[leaf].0.is_dictionary());
        let levels = levels.map_err(library)?;
        let batches =
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &group, batch_rows, None);
        Ok((batches.map_err(library)?, group))
    }

    fn batch(
        &mut self,
        index: usize,
        batch: &RecordBatch,
        sink: &mut dyn Sink,
    ) -> Result<(), ProviderError> {
        let place = &self.reading.place;
        let dictionaries: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .filter_map(|column| column.as_dictionary_opt::<Int32Type>())
            .map(|dictionary| Arc::clone(dictionary.values()))
            .collect();
        let is_same = dictionaries.len() == self.dictionaries.len()
            && iter::zip(&dictionaries, &self.dictionaries).all(|(new, old)| Arc::ptr_eq(new, old));
        if !is_same {
            self.fold.forget_texts();
            self.dictionaries = dictionaries;
        }
        let columns = |column: Option<usize>| {
            let position = self.projection.position(column?)?;
            Some(batch.column(position).as_ref())
        };
        let cells = BatchCells::new(&self.table, columns, &mut self.times);
        let mut cells =
            cells.map_err(|error| error.at(&format!("{place}: row group {}", index + 1)))?;
        for row in 0..batch.num_rows() {
            cells.row = row;
            self.fold.fold(&mut cells, sink).map_err(|error| {
                error.at(&format!(
                    "{place}: row {} (row group {})",
                    self.fold.rows(),
                    index + 1
                ))
            })?;
        }
        Ok(())
    }
}

/// The length of the longest text in a dictionary page.
fn longest_entry(page: Option<&Page>) -> usize {
    let Some(Page::DictionaryPage { buf, .. }) = page else {
        return 0;
    };
    let (mut rest, mut longest) = (&buf[..], 0);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        longest = longest.max(length.min(after.len()));
        rest = after.get(length..).unwrap_or_default();
    }
    longest
}

/// The bytes of one column chunk, at their place in the file.
struct ChunkBytes {
    start: u64,
    bytes: Bytes,
}

impl ChunkBytes {
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let at = start
            .checked_sub(self.start)
            .and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| *at <= self.bytes.len());
        let at = at.ok_or_else(|| ParquetError::EOF("outside of the column chunk".to_owned()))?;
        Ok(self.bytes.slice(at..))
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for ChunkBytes {
    type T = buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF("outside of the column chunk".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}

/// The needed chunks of one row group.
struct Group {
    metadata: Arc<ParquetMetaData>,
    index: usize,
    rows: usize,
    /// With the number of their leaves in the file.
    chunks: Vec<(usize, Arc<ChunkBytes>)>,
}

impl Group {
    fn pages(&self, chunk: usize) -> ParquetResult<SerializedPageReader<ChunkBytes>> {
        let (leaf, bytes) = &self.chunks[chunk];
        let chunk = self.metadata.row_group(self.index).column(*leaf);
        SerializedPageReader::new(Arc::clone(bytes), chunk, self.rows, None)
    }
}

impl RowGroups for Group {
    fn num_rows(&self) -> usize {
        self.rows
    }

    fn column_chunks(&self, chunk: usize) -> ParquetResult<Box<dyn PageIterator>> {
        Ok(Box::new(OneChunk(Some(Box::new(self.pages(chunk)?)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of one chunk.
struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}
