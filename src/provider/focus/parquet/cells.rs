//! The cells of a batch of rows, whatever the types of its columns are.

use arrow_array::{Array, MapArray, cast::AsArray};
use arrow_schema::DataType;

use crate::provider::focus::{
    cells::{CellError, Cells, RowError},
    context::Table,
    tags,
    values::Times,
};

use super::arrays::{Instants, Numbers, Texts};

/// The columns of a batch, and which of its rows is read.
pub(super) struct BatchCells<'a> {
    numbers: [Option<Numbers<'a>>; 5],
    times: [Option<Instants<'a>>; 4],
    texts: Vec<Option<Texts<'a>>>,
    tags: Option<Tags<'a>>,
    /// For each row a number that it shares with rows of the same texts; empty if the columns are no dictionaries.
    same_texts: Vec<u128>,
    cache: &'a mut Times,
    pub(super) row: usize,
}

/// A column of tags.
enum Tags<'a> {
    Json(Texts<'a>),
    Map {
        map: &'a MapArray,
        keys: Texts<'a>,
        values: Texts<'a>,
    },
}

impl<'a> Tags<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Map(..) => {
                let map = array.as_map();
                Some(Self::Map {
                    map,
                    keys: Texts::of(map.keys())?,
                    values: Texts::of(map.values())?,
                })
            }
            DataType::Utf8 | DataType::Binary | DataType::Dictionary(..) | DataType::Null => {
                Texts::of(array).map(Self::Json)
            }
            _ => None,
        }
    }
}

impl<'a> BatchCells<'a> {
    pub(super) fn new(
        table: &Table,
        column: impl Fn(Option<usize>) -> Option<&'a dyn Array>,
        cache: &'a mut Times,
    ) -> Result<Self, RowError> {
        let mut cells = Self {
            numbers: Default::default(),
            times: Default::default(),
            texts: Vec::new(),
            tags: None,
            same_texts: Vec::new(),
            cache,
            row: 0,
        };
        for (slot, position) in table.numbers.iter().enumerate() {
            cells.numbers[slot] = typed(table, *position, &column, "numbers", Numbers::of)?;
        }
        for (slot, position) in table.times.iter().enumerate() {
            cells.times[slot] = typed(table, *position, &column, "dates or times", Instants::of)?;
        }
        for position in &table.texts {
            cells
                .texts
                .push(typed(table, *position, &column, "texts", Texts::of)?);
        }
        cells.tags = typed(table, table.tags, &column, "texts or a map", Tags::of)?;
        let rows = column(table.times[0]).map_or(0, Array::len);
        cells.same_texts = cells.number_texts(rows).unwrap_or_default();
        Ok(cells)
    }

    /// Numbers each combination of dictionary entries; `None` if a column is no dictionary, or they have too many.
    fn number_texts(&self, rows: usize) -> Option<Vec<u128>> {
        let tags = match &self.tags {
            None => None,
            Some(Tags::Json(texts)) => Some(texts),
            Some(Tags::Map { .. }) => return None,
        };
        let mut numbers = vec![0; rows];
        let mut combinations = 1_u128;
        for texts in self.texts.iter().flatten().chain(tags) {
            combinations = texts.add_entries(combinations, &mut numbers)?;
        }
        Some(numbers)
    }
}

/// A column as something that can be read, if the file has it.
fn typed<'a, T>(
    table: &Table,
    position: Option<usize>,
    column: impl Fn(Option<usize>) -> Option<&'a dyn Array>,
    wanted: &str,
    of: impl Fn(&'a dyn Array) -> Option<T>,
) -> Result<Option<T>, RowError> {
    let Some(array) = column(position) else {
        return Ok(None);
    };
    of(array).map(Some).ok_or_else(|| RowError::Cell {
        column: position
            .and_then(|position| table.names.get(position))
            .cloned()
            .unwrap_or_default(),
        problem: format!("has the type {}, not {wanted}", array.data_type()),
    })
}

impl Cells for BatchCells<'_> {
    fn number(&mut self, slot: usize) -> Result<Option<f64>, CellError> {
        self.numbers[slot]
            .as_ref()
            .map_or(Ok(None), |numbers| numbers.get(self.row))
    }

    fn time(&mut self, slot: usize) -> Result<Option<i64>, CellError> {
        self.times[slot]
            .as_ref()
            .map_or(Ok(None), |times| times.get(self.row, self.cache))
    }

    fn text(&self, slot: usize) -> Result<&str, CellError> {
        self.texts[slot]
            .as_ref()
            .map_or(Ok(""), |texts| texts.get(self.row))
    }

    fn tags(&self, keys: &[String], found: &mut Vec<String>) -> Result<(), CellError> {
        match &self.tags {
            None => tags::clear(keys, found),
            Some(Tags::Json(texts)) => return tags::values(texts.get(self.row)?, keys, found),
            Some(Tags::Map {
                map,
                keys: names,
                values,
            }) => {
                tags::clear(keys, found);
                if map.is_null(self.row) {
                    return Ok(());
                }
                let offsets = map.value_offsets();
                let entry = |at: i32| usize::try_from(at).unwrap_or(0);
                for at in entry(offsets[self.row])..entry(offsets[self.row + 1]) {
                    let name = names.get(at)?;
                    if let Some(wanted) = keys.iter().position(|key| key == name) {
                        values.get(at)?.clone_into(&mut found[wanted]);
                    }
                }
            }
        }
        Ok(())
    }

    fn same_texts(&self) -> Option<u128> {
        self.same_texts.get(self.row).copied()
    }
}
