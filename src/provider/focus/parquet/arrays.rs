//! Arrays of the types that exports use, as numbers, times and texts.

use arrow_array::{
    Array, BinaryArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
    builder::StringBuilder,
    cast::AsArray,
    types::{
        ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
        Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, TimeUnit};
use jiff::{Timestamp, tz::TimeZone};

use crate::provider::focus::{
    cells::CellError,
    values::{self, Times, is_null, quoted},
};

/// A column of texts.
pub(super) enum Texts<'a> {
    /// Each distinct text once.
    Dictionary {
        keys: &'a Int32Array,
        texts: &'a StringArray,
    },
    Utf8(&'a StringArray),
    Bytes(&'a BinaryArray),
    /// Values of another type, written out.
    Written(StringArray),
    /// A column of nulls.
    Null,
}

impl<'a> Texts<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::Dictionary(..) => {
                let dictionary: &DictionaryArray<Int32Type> = array.as_dictionary_opt()?;
                Self::Dictionary {
                    keys: dictionary.keys(),
                    texts: dictionary.values().as_string_opt()?,
                }
            }
            DataType::Null => Self::Null,
            _ => Self::Written(written(array)?),
        })
    }

    /// The text of a row, empty for null.
    pub(super) fn get(&self, row: usize) -> Result<&str, CellError> {
        let text = match self {
            Self::Dictionary { keys, texts } => {
                let key = usize::try_from(keys.value(row)).unwrap_or(usize::MAX);
                if keys.is_null(row) || texts.is_null(key) {
                    ""
                } else {
                    texts.value(key)
                }
            }
            Self::Utf8(texts) if texts.is_valid(row) => texts.value(row),
            Self::Bytes(bytes) if bytes.is_valid(row) => str::from_utf8(bytes.value(row))
                .map_err(|_| CellError("is not UTF-8".to_owned()))?,
            Self::Written(texts) if texts.is_valid(row) => texts.value(row),
            Self::Utf8(_) | Self::Bytes(_) | Self::Written(_) | Self::Null => "",
        };
        Ok(if is_null(text) { "" } else { text })
    }

    /// Numbers each row among the combinations so far by its dictionary entry, too, and returns how many combinations
    /// there can be now; `None` if it is no dictionary, or there are too many.
    pub(super) fn add_entries(&self, combinations: u128, rows: &mut [u128]) -> Option<u128> {
        let (keys, texts) = match self {
            Self::Dictionary { keys, texts } => (keys, texts),
            Self::Null => return Some(combinations),
            // A column without any value, such as ChargeClass, has no dictionary.
            Self::Utf8(texts) if texts.null_count() == texts.len() => return Some(combinations),
            Self::Bytes(bytes) if bytes.null_count() == bytes.len() => return Some(combinations),
            _ => return None,
        };
        // One more for null.
        let entries = u128::try_from(texts.len()).ok()?.checked_add(1)?;
        let total = combinations.checked_mul(entries)?;
        if keys.null_count() == 0 {
            for (row, &key) in rows.iter_mut().zip(keys.values()) {
                *row += combinations * u128::from(key.cast_unsigned());
            }
        } else {
            for (at, (row, &key)) in rows.iter_mut().zip(keys.values()).enumerate() {
                let entry = if keys.is_null(at) {
                    entries - 1
                } else {
                    u128::from(key.cast_unsigned())
                };
                *row += combinations * entry;
            }
        }
        Some(total)
    }
}

/// Values that are no texts, written out; `None` for nested and binary types.
fn written(array: &dyn Array) -> Option<StringArray> {
    macro_rules! all {
        ($type:ty) => {
            write_all(array, |row| {
                Some(array.as_primitive::<$type>().value(row).to_string())
            })
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => all!(Int8Type),
        DataType::Int16 => all!(Int16Type),
        DataType::Int32 => all!(Int32Type),
        DataType::Int64 => all!(Int64Type),
        DataType::UInt8 => all!(UInt8Type),
        DataType::UInt16 => all!(UInt16Type),
        DataType::UInt32 => all!(UInt32Type),
        DataType::UInt64 => all!(UInt64Type),
        DataType::Float32 => all!(Float32Type),
        DataType::Float64 => all!(Float64Type),
        DataType::Boolean => {
            write_all(array, |row| Some(array.as_boolean().value(row).to_string()))
        }
        DataType::Decimal128(..) => write_all(array, |row| {
            Some(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }),
        DataType::Decimal256(..) => write_all(array, |row| {
            Some(array.as_primitive::<Decimal256Type>().value_as_string(row))
        }),
        DataType::Date32 | DataType::Timestamp(..) => {
            let times = Instants::of(array)?;
            let mut cache = Times::default();
            let is_date = matches!(array.data_type(), DataType::Date32);
            write_all(array, |row| {
                let seconds = times.get(row, &mut cache).ok()??;
                let time = Timestamp::from_second(seconds).ok()?;
                Some(if is_date {
                    time.to_zoned(TimeZone::UTC).date().to_string()
                } else {
                    time.to_string()
                })
            })
        }
        _ => return None,
    })
}

fn write_all(array: &dyn Array, mut write: impl FnMut(usize) -> Option<String>) -> StringArray {
    let mut texts = StringBuilder::new();
    for row in 0..array.len() {
        texts.append_option(if array.is_null(row) { None } else { write(row) });
    }
    texts.finish()
}

/// A column of numbers.
pub(super) enum Numbers<'a> {
    Double(&'a Float64Array),
    Float(&'a Float32Array),
    Long(&'a Int64Array),
    Int(&'a Int32Array),
    /// With what a value is to be divided by.
    Decimal(&'a Decimal128Array, f64),
    Wide(&'a Decimal256Array),
    Texts(Texts<'a>),
    /// Values of a rarer type.
    Converted(Float64Array),
    Null,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Float64 => Self::Double(array.as_primitive()),
            DataType::Float32 => Self::Float(array.as_primitive()),
            DataType::Int64 => Self::Long(array.as_primitive()),
            DataType::Int32 => Self::Int(array.as_primitive()),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(array.as_primitive(), 10_f64.powi(i32::from(*scale)))
            }
            DataType::Decimal256(..) => Self::Wide(array.as_primitive()),
            DataType::Utf8 | DataType::Binary | DataType::Dictionary(..) => {
                Self::Texts(Texts::of(array)?)
            }
            DataType::Int8 => converted::<Int8Type>(array, f64::from),
            DataType::Int16 => converted::<Int16Type>(array, f64::from),
            DataType::UInt8 => converted::<UInt8Type>(array, f64::from),
            DataType::UInt16 => converted::<UInt16Type>(array, f64::from),
            DataType::UInt32 => converted::<UInt32Type>(array, f64::from),
            DataType::UInt64 => converted::<UInt64Type>(array, |value| value as f64),
            DataType::Null => Self::Null,
            _ => return None,
        })
    }

    /// The number of a row; `None` for null.
    pub(super) fn get(&self, row: usize) -> Result<Option<f64>, CellError> {
        let not_a_number = |text: &str| CellError(format!("is {}, not a number", quoted(text)));
        let value = match self {
            Self::Double(values) if values.is_valid(row) => values.value(row),
            Self::Float(values) if values.is_valid(row) => f64::from(values.value(row)),
            Self::Long(values) if values.is_valid(row) => values.value(row) as f64,
            Self::Int(values) if values.is_valid(row) => f64::from(values.value(row)),
            Self::Decimal(values, divisor) if values.is_valid(row) => {
                values.value(row) as f64 / divisor
            }
            Self::Converted(values) if values.is_valid(row) => values.value(row),
            Self::Wide(values) if values.is_valid(row) => {
                let text = values.value_as_string(row);
                values::number(&text).ok_or_else(|| not_a_number(&text))?
            }
            Self::Texts(texts) => match texts.get(row)? {
                "" => return Ok(None),
                text => values::number(text).ok_or_else(|| not_a_number(text))?,
            },
            _ => return Ok(None),
        };
        if value.is_finite() {
            return Ok(Some(value));
        }
        Err(CellError("is not a finite number".to_owned()))
    }
}

fn converted<'a, T: ArrowPrimitiveType>(
    array: &dyn Array,
    convert: impl Fn(T::Native) -> f64,
) -> Numbers<'a> {
    let values = array.as_primitive::<T>().iter();
    Numbers::Converted(values.map(|value| value.map(&convert)).collect())
}

/// A column of dates or times.
pub(super) enum Instants<'a> {
    /// Units since 1970, and how many of them make a second.
    Units {
        array: &'a dyn Array,
        values: &'a [i64],
        unit: TimeUnit,
    },
    /// Days since 1970.
    Days(&'a Date32Array),
    Texts(Texts<'a>),
    Null,
}

impl<'a> Instants<'a> {
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        let values: &[i64] = match array.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => {
                array.as_primitive::<TimestampSecondType>().values()
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                array.as_primitive::<TimestampMillisecondType>().values()
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                array.as_primitive::<TimestampMicrosecondType>().values()
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                array.as_primitive::<TimestampNanosecondType>().values()
            }
            DataType::Date32 => return Some(Self::Days(array.as_primitive::<Date32Type>())),
            DataType::Utf8 | DataType::Binary | DataType::Dictionary(..) => {
                return Texts::of(array).map(Self::Texts);
            }
            DataType::Null => return Some(Self::Null),
            _ => return None,
        };
        let DataType::Timestamp(unit, _) = array.data_type() else {
            return None;
        };
        Some(Self::Units {
            array,
            values,
            unit: *unit,
        })
    }

    /// Seconds since 1970 of a row; `None` for null.
    pub(super) fn get(&self, row: usize, cache: &mut Times) -> Result<Option<i64>, CellError> {
        Ok(match self {
            Self::Units {
                array,
                values,
                unit,
            } if array.is_valid(row) => {
                let value = values[row];
                Some(match unit {
                    TimeUnit::Second => value,
                    TimeUnit::Millisecond => value.div_euclid(1_000),
                    TimeUnit::Microsecond => value.div_euclid(1_000_000),
                    TimeUnit::Nanosecond => value.div_euclid(1_000_000_000),
                })
            }
            Self::Days(days) if days.is_valid(row) => Some(i64::from(days.value(row)) * 86_400),
            Self::Texts(texts) => match texts.get(row)? {
                "" => None,
                text => Some(cache.read(text).ok_or_else(|| {
                    CellError(format!("is {}, not a date or time", quoted(text)))
                })?),
            },
            Self::Units { .. } | Self::Days(_) | Self::Null => None,
        })
    }
}
