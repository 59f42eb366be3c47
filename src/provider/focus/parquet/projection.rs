//! The part of a file's schema that is read.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::{
    arrow::{
        FieldLevels, ProjectionMask, parquet_to_arrow_field_levels,
        parquet_to_arrow_schema_by_columns,
    },
    basic::{ConvertedType, Type as PhysicalType},
    file::metadata::ParquetMetaData,
    schema::types::{SchemaDescriptor, Type, TypePtr},
};

use crate::provider::focus::context::Table;

/// Which columns of a file are read, and as what.
#[derive(Debug)]
pub(super) struct Projection {
    /// Positions among the file's columns, in order.
    roots: Vec<usize>,
    /// Positions among the file's leaves, in order. Columns have one leaf, but for maps.
    pub(super) leaves: Vec<usize>,
    /// A schema of these columns alone, so that the types of others do not matter.
    schema: SchemaDescriptor,
    arrow: Schema,
}

impl Projection {
    pub(super) fn new(metadata: &ParquetMetaData, table: &Table) -> Result<Self, String> {
        let file = metadata.file_metadata().schema_descr();
        let columns = table.numbers.iter().chain(&table.times).chain(&table.texts);
        let mut roots: Vec<usize> = columns
            .chain([&table.tags])
            .filter_map(|column| *column)
            .collect();
        roots.sort_unstable();
        roots.dedup();
        let fields = file.root_schema().get_fields();
        let fields = roots.iter().map(|&root| readable(&fields[root]));
        let invalid =
            |error: parquet::errors::ParquetError| format!("the schema cannot be read: {error}");
        let fields: Result<Vec<TypePtr>, _> = fields.collect();
        let schema = Type::group_type_builder("schema").with_fields(fields.map_err(invalid)?);
        let schema = SchemaDescriptor::new(Arc::new(schema.build().map_err(invalid)?));
        let is_needed = |leaf: &usize| {
            roots
                .binary_search(&file.get_column_root_idx(*leaf))
                .is_ok()
        };
        let leaves: Vec<usize> = (0..file.num_columns()).filter(is_needed).collect();
        let arrow = parquet_to_arrow_schema_by_columns(&schema, ProjectionMask::all(), None);
        Ok(Self {
            arrow: arrow.map_err(invalid)?,
            roots,
            leaves,
            schema,
        })
    }

    /// The position of a column of the file among those that are read.
    pub(super) fn position(&self, column: usize) -> Option<usize> {
        self.roots.binary_search(&column).ok()
    }

    /// What to read the columns as. Texts whose leaf is a dictionary stay one; leaves are numbered among those that are
    /// read.
    pub(super) fn levels(
        &self,
        is_dictionary: impl Fn(usize) -> bool,
    ) -> Result<FieldLevels, parquet::errors::ParquetError> {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let mut fields: Vec<Field> = self
            .arrow
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        for leaf in 0..self.schema.num_columns() {
            let field = &mut fields[self.schema.get_column_root_idx(leaf)];
            if *field.data_type() == DataType::Utf8 && is_dictionary(leaf) {
                field.set_data_type(dictionary.clone());
            }
        }
        parquet_to_arrow_field_levels(
            &self.schema,
            ProjectionMask::all(),
            Some(&Fields::from(fields)),
        )
    }
}

/// The name of a leaf's column, for errors.
pub(super) fn leaf_name(metadata: &ParquetMetaData, leaf: usize) -> &str {
    let schema = metadata.file_metadata().schema_descr();
    schema.get_column_root(leaf).name()
}

/// The type of a column, as it can be read. Texts that are not marked as UTF-8 are bytes, since the library would not
/// check them.
fn readable(column: &TypePtr) -> Result<TypePtr, parquet::errors::ParquetError> {
    let info = column.get_basic_info();
    let is_bytes = column.is_primitive() && column.get_physical_type() == PhysicalType::BYTE_ARRAY;
    if !is_bytes
        || matches!(
            info.converted_type(),
            ConvertedType::UTF8 | ConvertedType::DECIMAL
        )
    {
        return Ok(Arc::clone(column));
    }
    let bytes = Type::primitive_type_builder(column.name(), PhysicalType::BYTE_ARRAY)
        .with_repetition(info.repetition());
    Ok(Arc::new(bytes.build()?))
}
