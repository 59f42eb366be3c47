//! Properties: the order and split of rows do not matter, and no change to a file is a panic.

use proptest::prelude::*;

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_split_of_rows_do_not_matter(
        micros in prop::collection::vec((-1_000_000_000_000_i64..1_000_000_000_000, 0..4_u8, 1..32_u8), 1..60),
        seed: u64,
        parts in 1..5_usize,
    ) {
        let rows: Vec<[(&str, String); 4]> = micros.iter().map(|(micros, service, day)| {
            [
                ("BilledCost", format!("{micros}e-6")),
                ("EffectiveCost", format!("{}", micros / 3)),
                ("ServiceName", format!("service {service}")),
                ("ChargePeriodStart", format!("2026-05-{day:02}")),
            ]
        }).collect();
        let borrowed: Vec<Vec<(&str, &str)>> = rows.iter().map(|row| row.iter().map(|(name, value)| (*name, value.as_str())).collect()).collect();
        let mut rows: Vec<Changes<'_>> = borrowed.iter().map(Vec::as_slice).collect();
        let runtime = runtime();
        let whole = runtime.block_on(totals(MemoryFile::new("a.csv", csv(&rows)), settings())).unwrap();
        fastrand::Rng::with_seed(seed).shuffle(&mut rows);
        let mut split = std::collections::BTreeMap::<_, crate::ledger::Sum>::new();
        for part in rows.chunks(rows.len().div_ceil(parts)) {
            let part = runtime.block_on(totals(MemoryFile::new("a.csv.gz", zipped(&csv(part))), settings())).unwrap();
            for (key, value) in part.values() {
                split.entry(key).or_default().add(value);
            }
        }
        let whole_values = whole.values();
        prop_assert_eq!(whole_values.len(), split.len());
        for (key, sum) in split {
            prop_assert!((whole_values[&key] - sum.value()).abs() <= whole.gross * 1e-12, "{:?}", key);
        }
    }

    #[test]
    fn changed_csv_is_never_a_panic(at: prop::sample::Index, byte: u8, insert: bool) {
        let mut text = csv(ROWS);
        let at = at.index(text.len());
        if insert {
            text.insert(at, byte);
        } else {
            text[at] = byte;
        }
        let _ = runtime().block_on(charges(MemoryFile::new("a.csv", text)));
    }

    #[test]
    fn changed_gzip_is_never_another_table(at: prop::sample::Index, bit in 0..8_u32) {
        let mut gzip = zipped(&csv(ROWS));
        let whole = runtime().block_on(charges(MemoryFile::new("a.csv.gz", gzip.clone())));
        // The first ten bytes hold a time and a system, which do not matter to the content.
        let at = 10 + at.index(gzip.len() - 10);
        gzip[at] ^= 1 << bit;
        let read = runtime().block_on(charges(MemoryFile::new("a.csv.gz", gzip)));
        // The last bits before the checksum may fill up a byte.
        prop_assert!(read.is_err() || read == whole, "{:?}", read);
    }
}
