//! What lies in the simulated store: two exports as AWS delivers them, each month with its manifest and its data files.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    World,
    export_files::{self as files, COLUMNS, Record},
    s3_signature::hex,
    setup::{S3_BUCKET, S3_PREFIX},
    world::{export_names::PAYERS, export_row::ExportRow},
};
use crate::charge::Month;

/// The exports, one for each organisation: name, and whether it is delivered as Parquet.
const EXPORTS: [(&str, bool); PAYERS.len()] = [("focus-gruppe", false), ("focus-labs", true)];
/// How many deliveries are kept; more are made again.
const KEPT: usize = 32;

/// An object of the store.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// With its quotes, as of an upload in parts.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
}

/// Objects by key.
pub(super) type Objects = BTreeMap<String, Object>;

/// Deliveries that were made already.
#[derive(Debug, Default)]
pub(in crate::demo) struct Deliveries(Mutex<HashMap<Delivery, Arc<Objects>>>);

/// One month of one export as it was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Delivery {
    /// The position of its organisation.
    payer: usize,
    month: Month,
    delivered: Timestamp,
    /// How often it was delivered again at the same time.
    repeated: u64,
    /// The billed cost of one more row, which names no invoice, in cents.
    uninvoiced: Option<i64>,
}

impl Deliveries {
    /// Everything in the store at a time. With an amount in cents, each month of the first export has one more row of this
    /// billed cost, which names no invoice.
    pub(super) fn objects(
        &self,
        world: &World,
        at: Timestamp,
        repeated: u64,
        uninvoiced: Option<i64>,
    ) -> Objects {
        let mut objects = Objects::new();
        for payer in 0..EXPORTS.len() {
            for month in world.export.months(at) {
                let Some(delivered) = world.export.delivered(month, at) else {
                    continue;
                };
                let delivery = Delivery {
                    payer,
                    month,
                    delivered,
                    repeated,
                    uninvoiced: uninvoiced.filter(|_| payer == 0),
                };
                let made = self.made(world, delivery);
                objects.extend(
                    made.iter()
                        .map(|(key, object)| (key.clone(), object.clone())),
                );
            }
        }
        objects
    }

    fn made(&self, world: &World, delivery: Delivery) -> Arc<Objects> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known.get(&delivery) {
            return made.clone();
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let made = Arc::new(delivery.objects(world));
        known.insert(delivery, made.clone());
        made
    }
}

impl Delivery {
    fn objects(self, world: &World) -> Objects {
        let (name, is_parquet) = EXPORTS[self.payer];
        let export = &world.export;
        let mut rows = export.rows(self.payer, self.month, self.delivered);
        if let (Some(cents), Some(row)) = (self.uninvoiced, rows.first().cloned()) {
            rows.push(ExportRow {
                billed: cents as f64 / 100.0,
                invoice: None,
                ..row
            });
        }
        let records: Vec<_> = rows
            .iter()
            .map(|row| Record {
                export,
                month: self.month,
                row,
            })
            .collect();
        let period = format!("BILLING_PERIOD={}", self.month);
        let data = |part: usize, ending: &str| {
            format!("{S3_PREFIX}/{name}/data/{period}/{name}-{part:05}.{ending}")
        };
        let mut objects = Objects::new();
        let written = self.delivered - SignedDuration::from_secs(40);
        if is_parquet {
            objects.insert(
                data(1, "snappy.parquet"),
                self.object(files::parquet(&records), written),
            );
        } else {
            let (first, second) = records.split_at(records.len() / 2);
            objects.insert(
                data(1, "csv.gz"),
                self.object(files::csv_gz(first), written),
            );
            objects.insert(
                data(2, "csv.gz"),
                self.object(files::csv_gz(second), written),
            );
        }
        let id = uuid::Builder::from_random_bytes(
            self.hash(b"execution")[..16].try_into().unwrap_or_default(),
        );
        let addresses: Vec<_> = objects
            .keys()
            .map(|key| format!("s3://{S3_BUCKET}/{key}"))
            .collect();
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|(column, kind)| json!({"name": column, "type": kind.name(), "nullable": true}))
            .collect();
        let manifest = json!({
            "executionId": id.into_uuid().to_string(),
            "exportArn": format!("arn:aws:bcm-data-exports:us-east-1:{}:export/{name}-0", PAYERS[self.payer].0),
            "columns": columns,
            "dataFiles": addresses,
            "additionalOutputFiles": [],
        });
        // A chunk of an earlier delivery that had more of them: emptied, and named by no manifest.
        if !is_parquet {
            objects.insert(data(3, "csv.gz"), self.object(Vec::new(), written));
        }
        objects.insert(
            format!("{S3_PREFIX}/{name}/metadata/{period}/{name}-Manifest.json"),
            self.object(manifest.to_string().into_bytes(), self.delivered),
        );
        objects
    }

    fn object(self, bytes: Vec<u8>, modified: Timestamp) -> Object {
        Object {
            etag: format!("\"{}-1\"", hex(&self.hash(&bytes)[..16])),
            bytes: bytes.into(),
            modified,
        }
    }

    /// A hash of bytes in this delivery: the same bytes have another one in the next.
    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(format!("{self:?}").as_bytes());
        hash.update(bytes);
        hash.finish().as_ref().to_vec()
    }
}
