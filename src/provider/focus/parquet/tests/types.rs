//! Tests of every type that a column may have.

use super::*;

#[tokio::test]
async fn costs_may_be_of_any_numeric_type() {
    let wide = Decimal256Array::from(vec![Some("1250".parse().unwrap())]);
    for (array, want) in [
        (Arc::new(Float64Array::from(vec![1.25])) as ArrayRef, "1.25"),
        (Arc::new(Float32Array::from(vec![1.25])), "1.25"),
        (Arc::new(Int8Array::from(vec![-7])), "-7"),
        (Arc::new(Int16Array::from(vec![-7])), "-7"),
        (Arc::new(Int32Array::from(vec![-7])), "-7"),
        (Arc::new(Int64Array::from(vec![-7])), "-7"),
        (Arc::new(UInt8Array::from(vec![7])), "7"),
        (Arc::new(UInt16Array::from(vec![7])), "7"),
        (Arc::new(UInt32Array::from(vec![7])), "7"),
        (Arc::new(UInt64Array::from(vec![7])), "7"),
        // Carried by INT32, INT64, and bytes of fixed length.
        (
            Arc::new(
                Decimal128Array::from(vec![125])
                    .with_precision_and_scale(5, 2)
                    .unwrap(),
            ),
            "1.25",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![125])
                    .with_precision_and_scale(15, 2)
                    .unwrap(),
            ),
            "1.25",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![-12_500_000_000_000_000])
                    .with_precision_and_scale(38, 16)
                    .unwrap(),
            ),
            "-1.25",
        ),
        (
            Arc::new(wide.with_precision_and_scale(60, 3).unwrap()),
            "1.25",
        ),
        (texts(&["1.25"]), "1.25"),
        (texts(&["125e-2"]), "1.25"),
    ] {
        let bytes = written(
            &[&[]],
            &[("BilledCost", Arc::clone(&array))],
            uncompressed(),
        );
        let found = read_file(file(bytes), settings()).await.unwrap();
        let want = format!("2026-05-03 BilledCost {want} USD, EffectiveCost 8 USD");
        assert_eq!(amounts(&found), [want], "{}", array.data_type());
    }
}

#[tokio::test]
async fn times_may_be_of_any_type() {
    // 2026-05-17T13:00:00Z.
    let seconds = 1_779_022_800_i64;
    for array in [
        Arc::new(TimestampMillisecondArray::from(vec![seconds * 1000])) as ArrayRef,
        Arc::new(TimestampMillisecondArray::from(vec![seconds * 1000]).with_timezone("UTC")),
        Arc::new(TimestampMicrosecondArray::from(vec![seconds * 1_000_000])),
        Arc::new(TimestampNanosecondArray::from(vec![
            seconds * 1_000_000_000,
        ])),
        Arc::new(Date32Array::from(vec![20_590])),
        texts(&["2026-05-17 13:00:00"]),
        texts(&["2026-05-17"]),
    ] {
        let bytes = written(
            &[&[("ChargePeriodEnd", "-")]],
            &[("ChargePeriodStart", Arc::clone(&array))],
            uncompressed(),
        );
        let found = read_file(file(bytes), settings()).await.unwrap();
        assert_eq!(
            amounts(&found),
            ["2026-05-17 BilledCost 10 USD, EffectiveCost 8 USD"],
            "{}",
            array.data_type()
        );
    }
}

/// A file of the usual row, as texts that are not marked as such, but for one column, which has its own writer.
fn low_level(
    column: &str,
    declared: &str,
    write: impl Fn(&mut parquet::file::writer::SerializedColumnWriter<'_>),
) -> Bytes {
    let (names, rows) = table(&[&[]]);
    let fields = names.iter().map(|name| {
        if name == column {
            format!("required {declared};")
        } else {
            format!("required binary {name};")
        }
    });
    let schema = format!("message m {{ {} }}", fields.collect::<String>());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (name, text) in names.iter().zip(&rows[0]) {
        let mut next = group.next_column().unwrap().unwrap();
        if name == column {
            write(&mut next);
        } else {
            let value = ByteArray::from(text.as_str());
            next.typed::<ByteArrayType>()
                .write_batch(&[value], None, None)
                .unwrap();
        }
        next.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes.into()
}

#[tokio::test]
async fn carriers_that_arrow_does_not_write_are_read() {
    // Noon of 2026-05-17 as Spark and Impala write it: nanoseconds of the day, and the Julian day.
    let int96 = low_level("ChargePeriodStart", "int96 ChargePeriodStart", |column| {
        let mut noon = Int96::new();
        let nanoseconds = 12 * 3600 * 1_000_000_000_u64;
        let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap();
        let julian_day = 20_590 + 2_440_588;
        noon.set_data(half(nanoseconds), half(nanoseconds >> 32), julian_day);
        column
            .typed::<Int96Type>()
            .write_batch(&[noon], None, None)
            .unwrap();
    });
    let decimal = low_level("BilledCost", "binary BilledCost (DECIMAL(9,2))", |column| {
        let value = ByteArray::from(vec![0x04, 0xe2]);
        column
            .typed::<ByteArrayType>()
            .write_batch(&[value], None, None)
            .unwrap();
    });
    let fixed = low_level(
        "BilledCost",
        "fixed_len_byte_array(5) BilledCost (DECIMAL(10,2))",
        |column| {
            let value = FixedLenByteArray::from(vec![0xff, 0xff, 0xff, 0xfb, 0x1e]);
            column
                .typed::<FixedLenByteArrayType>()
                .write_batch(&[value], None, None)
                .unwrap();
        },
    );
    let json = low_level("Tags", "binary Tags (JSON)", |_| {});
    for (bytes, want) in [
        (int96, "2026-05-17 BilledCost 10 USD, FixedCost 10 USD"),
        (decimal, "2026-05-03 BilledCost 12.5 USD"),
        (fixed, "2026-05-03 BilledCost -12.5 USD"),
        (json, "2026-05-03 BilledCost 10 USD"),
    ] {
        let found = read_file(
            file(bytes),
            RowSettings {
                costs: vec![],
                ..settings()
            },
        )
        .await
        .unwrap();
        let got = amounts(&found)[0].replace(", FixedCost 10 USD", "");
        assert_eq!(got, want.replace(", FixedCost 10 USD", ""));
    }
}

#[tokio::test]
async fn column_of_another_type_is_an_error() {
    let boolean = || Arc::new(BooleanArray::from(vec![true])) as ArrayRef;
    let number = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    for (name, array, want) in [
        (
            "BilledCost",
            boolean(),
            "row group 1: column BilledCost has the type Boolean, not numbers",
        ),
        (
            "BilledCost",
            Arc::new(Date32Array::from(vec![1])),
            "row group 1: column BilledCost has the type Date32, not numbers",
        ),
        (
            "ChargePeriodStart",
            number(),
            "row group 1: column ChargePeriodStart has the type Int64, not dates or times",
        ),
        (
            "BilledCost",
            Arc::new(Float64Array::from(vec![f64::NAN])),
            "row 1 (row group 1): column BilledCost is not a finite number",
        ),
        (
            "EffectiveCost",
            Arc::new(Float64Array::from(vec![f64::INFINITY])),
            "row 1 (row group 1): column EffectiveCost is not a finite number",
        ),
        (
            "BilledCost",
            Arc::new(Float64Array::from(vec![None])),
            "row 1 (row group 1): column BilledCost is null",
        ),
        (
            "ServiceName",
            tags(&[&[("a", "b")]]),
            "row group 1: column ServiceName has the type Map",
        ),
    ] {
        let error = read_file(
            file(written(&[&[]], &[(name, array)], uncompressed())),
            settings(),
        )
        .await
        .unwrap_err();
        assert!(
            error.starts_with(&format!("malformed: may.snappy.parquet: {want}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn dimension_may_be_of_any_simple_type() {
    for (array, want) in [
        (Arc::new(Int64Array::from(vec![42])) as ArrayRef, "42"),
        (Arc::new(BooleanArray::from(vec![true])), "true"),
        (Arc::new(Float64Array::from(vec![1.5])), "1.5"),
        (Arc::new(Date32Array::from(vec![20_590])), "2026-05-17"),
        (
            Arc::new(TimestampMillisecondArray::from(vec![1_779_022_800_000])),
            "2026-05-17T13:00:00Z",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![125])
                    .with_precision_and_scale(5, 2)
                    .unwrap(),
            ),
            "1.25",
        ),
    ] {
        let used = RowSettings {
            used: vec!["column:x_Any".to_owned()],
            ..settings()
        };
        let found = read_file(
            file(written(&[&[]], &[("x_any", array)], uncompressed())),
            used,
        )
        .await
        .unwrap();
        assert_eq!(dimensions(&found), [want]);
    }
}

#[tokio::test]
async fn tags_may_be_a_map() {
    let map = tags(&[
        &[("x", "y"), ("team", "a")],
        &[],
        &[("team", "")],
        &[("on", "true")],
    ]);
    let with = || RowSettings {
        used: ["sub_account_id", "tag:team", "tag:on"]
            .map(str::to_owned)
            .into(),
        ..settings()
    };
    for dictionary in [true, false] {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(dictionary)
            .build();
        let bytes = written(
            &[&[], &[], &[], &[]],
            &[("Tags", Arc::clone(&map))],
            properties,
        );
        let found = read_file(file(bytes), with()).await.unwrap();
        assert_eq!(dimensions(&found), ["s1|a", "s1", "s1", "s1|true"]);
    }
}

#[tokio::test]
async fn quantities_and_all_costs_are_read() {
    let rows: &[Changes<'_>] = &[&[
        ("ListCost", "12"),
        ("ContractedCost", "11"),
        ("PricingQuantity", "3"),
        ("PricingUnit", "h"),
    ]];
    let all = RowSettings {
        costs: vec![Cost::Billed, Cost::Effective, Cost::List, Cost::Contracted],
        quantities: Quantities::Pricing,
        ..settings()
    };
    let quantity: ArrayRef = Arc::new(Float64Array::from(vec![3.5]));
    let found = read_file(
        file(written(
            rows,
            &[("PricingQuantity", quantity)],
            uncompressed(),
        )),
        all,
    )
    .await
    .unwrap();
    let want = "2026-05-03 BilledCost 10 USD, EffectiveCost 8 USD, ListCost 12 USD, ContractedCost 11 USD, PricingQuantity 3.5 h";
    assert_eq!(amounts(&found), [want]);
}
