//! Rows out of CSV, plain or compressed with gzip.

use std::{
    io::{self, Read},
    str,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use crate::{
    charge::Sink,
    error::{ProviderError, Reason},
    http_client::row_stream::{self, Batch},
};

use super::{
    cells::{CellError, Cells},
    charges::RowFold,
    context::Table,
    reading::{FileSummary, Reading},
    source::FileSource,
    tags,
    values::{self, Times, quoted},
};

/// Reads the rows of a file while more of it arrives, long batches on a blocking thread.
pub(super) async fn read(
    mut source: FileSource,
    reading: Reading,
) -> Result<FileSummary, ProviderError> {
    let limit = reading.context.bounds.stream;
    let mut length = 0;
    let mut decoder = Decoder::new(reading);
    let mut batch = Batch::next(&mut source, &mut length, limit).await?;
    while !batch.last {
        let permit = batch.acquire_permit().await;
        let decoding = row_stream::decode(permit, move || decoder.decode(batch));
        let next = Batch::next(&mut source, &mut length, limit);
        (decoder, batch) = tokio::try_join!(decoding, next)?;
    }
    let permit = batch.acquire_permit().await;
    let summary = row_stream::decode(permit, move || decoder.decode(batch)?.finish()).await?;
    Ok(FileSummary {
        length: Some(length),
        ..summary
    })
}

/// The rows of one file while they are read.
struct Decoder {
    reading: Reading,
    record: ByteRecord,
    /// The beginning of a record whose end is in the next batch.
    carry: Vec<u8>,
    /// After the header line.
    rows: Option<Rows>,
}

/// What reads the rows after the header line.
struct Rows {
    fold: RowFold,
    table: Arc<Table>,
    times: Times,
}

impl Decoder {
    fn new(reading: Reading) -> Self {
        Self {
            reading,
            record: ByteRecord::new(),
            carry: Vec::new(),
            rows: None,
        }
    }

    /// Reads all records that end in a batch. The rest waits for the next one: the parser of the library is given whole
    /// batches, and says how far it came.
    fn decode(mut self, batch: Batch) -> Result<Self, ProviderError> {
        let carry = std::mem::take(&mut self.carry);
        let mut input = Input::new(carry, batch);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(64 * 1024)
            .from_reader(&mut input);
        let sink = Arc::clone(&self.reading.sink);
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = 0;
        let mut record = std::mem::take(&mut self.record);
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => {
                    read = reader.position().byte();
                    self.record(&record, &mut *sink)?;
                }
                Ok(false) => break,
                Err(error) if is_end_of_batch(&error) => break,
                Err(error) => {
                    let text = format!("{}: the file is not CSV", self.reading.place);
                    return Err(ProviderError::malformed(text).because(error.to_string()));
                }
            }
        }
        drop(reader);
        self.record = record;
        let is_last = input.is_last;
        self.carry = input.rest(usize::try_from(read).unwrap_or(usize::MAX));
        if self.carry.len() > self.reading.context.bounds.row {
            return Err(self.too_long());
        }
        if is_last && self.carry.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Err(ProviderError::truncated(format!(
                "{}: the file ends inside a quoted value",
                self.place()
            )));
        }
        Ok(self)
    }

    fn record(&mut self, record: &ByteRecord, sink: &mut dyn Sink) -> Result<(), ProviderError> {
        if record.as_slice().len() > self.reading.context.bounds.row {
            return Err(self.too_long());
        }
        let Some(Rows { fold, table, times }) = &mut self.rows else {
            self.rows = Some(self.header(record)?);
            return Ok(());
        };
        let columns = table.names.len();
        if record.len() != columns {
            return Err(ProviderError::malformed(format!(
                "{}: row {} has {} values, but the header line names {columns} columns",
                self.reading.place,
                fold.rows() + 1,
                record.len()
            )));
        }
        let mut cells = CsvCells {
            record,
            table,
            times,
        };
        fold.fold(&mut cells, sink)
            .map_err(|error| error.at(&self.place()))
    }

    /// The columns of the file, from its header line.
    fn header(&self, record: &ByteRecord) -> Result<Rows, ProviderError> {
        let place = &self.reading.place;
        let names = record
            .iter()
            .map(|name| str::from_utf8(name).map(str::to_owned));
        let names: Result<Vec<String>, _> = names.collect();
        let names = names.map_err(|_| {
            ProviderError::malformed(format!("{place}: the header line is not text in UTF-8"))
        })?;
        let table = self.reading.context.table(names);
        let table =
            table.map_err(|problem| ProviderError::malformed(format!("{place}: {problem}")))?;
        let table = Arc::new(table);
        Ok(Rows {
            fold: RowFold::new(&self.reading, Arc::clone(&table)),
            table,
            times: Times::default(),
        })
    }

    fn finish(self) -> Result<FileSummary, ProviderError> {
        let mut sink = self
            .reading
            .sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match self.rows {
            Some(Rows { fold, .. }) => Ok(fold.finish(&mut *sink)),
            None => Err(ProviderError::malformed(format!(
                "{}: the file has no header line",
                self.reading.place
            ))),
        }
    }

    /// The file, and the row that was read last.
    fn place(&self) -> String {
        let place = &self.reading.place;
        match &self.rows {
            Some(Rows { fold, .. }) => format!("{place}: row {}", fold.rows()),
            None => format!("{place}: the header line"),
        }
    }

    fn too_long(&self) -> ProviderError {
        let limit = self.reading.context.bounds.row;
        let text = format!(
            "{}: a row after it is longer than {limit} bytes",
            self.place()
        );
        ProviderError::new(Reason::TooLarge, text)
    }
}

/// The bytes of a batch, after those that the batch before left.
struct Input {
    /// In order; what the batch before left is the first of them.
    chunks: Vec<Bytes>,
    /// Which chunk is read, and how much of it was.
    at: (usize, usize),
    is_last: bool,
}

impl Input {
    fn new(carry: Vec<u8>, batch: Batch) -> Self {
        let mut chunks = vec![Bytes::from(carry)];
        chunks.extend(batch.chunks);
        if batch.last {
            // Ends a last line without one, but not a value in quotes.
            chunks.push(Bytes::from_static(b"\n"));
        }
        Self {
            chunks,
            at: (0, 0),
            is_last: batch.last,
        }
    }

    /// All bytes from a position on.
    fn rest(self, mut from: usize) -> Vec<u8> {
        let mut rest = Vec::new();
        for chunk in self.chunks {
            rest.extend_from_slice(chunk.get(from..).unwrap_or_default());
            from = from.saturating_sub(chunk.len());
        }
        rest
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (chunk, offset) = &mut self.at;
        while let Some(bytes) = self.chunks.get(*chunk) {
            let rest = &bytes[*offset..];
            if rest.is_empty() {
                *chunk += 1;
                *offset = 0;
                continue;
            }
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            *offset += length;
            return Ok(length);
        }
        // The end of the batch is not the end of the file: without an error, the parser would end its record.
        Err(io::ErrorKind::WouldBlock.into())
    }
}

fn is_end_of_batch(error: &csv::Error) -> bool {
    matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The cells of one record.
struct CsvCells<'a> {
    record: &'a ByteRecord,
    table: &'a Table,
    times: &'a mut Times,
}

impl<'a> CsvCells<'a> {
    /// A text; empty for null and for a column that the file does not have.
    fn cell(&self, column: Option<usize>) -> Result<&'a str, CellError> {
        let Some(bytes) = column.and_then(|column| self.record.get(column)) else {
            return Ok("");
        };
        let text = str::from_utf8(bytes).map_err(|_| CellError("is not UTF-8".to_owned()))?;
        Ok(if values::is_null(text) { "" } else { text })
    }
}

impl Cells for CsvCells<'_> {
    fn number(&mut self, slot: usize) -> Result<Option<f64>, CellError> {
        let text = self.cell(self.table.numbers[slot])?;
        if text.is_empty() {
            return Ok(None);
        }
        let not_a_number = || CellError(format!("is {}, not a number", quoted(text)));
        values::number(text).map(Some).ok_or_else(not_a_number)
    }

    fn time(&mut self, slot: usize) -> Result<Option<i64>, CellError> {
        let text = self.cell(self.table.times[slot])?;
        if text.is_empty() {
            return Ok(None);
        }
        let not_a_time = || CellError(format!("is {}, not a date or time", quoted(text)));
        self.times.read(text).map(Some).ok_or_else(not_a_time)
    }

    fn text(&self, slot: usize) -> Result<&str, CellError> {
        self.cell(self.table.texts[slot])
    }

    fn tags(&self, keys: &[String], values: &mut Vec<String>) -> Result<(), CellError> {
        tags::values(self.cell(self.table.tags)?, keys, values)
    }
}
