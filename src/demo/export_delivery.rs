//! What lies in the simulated store: a bucket for each cloud. This file has the exports of AWS, each month with its
//! manifest and its data files.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    World, azure_delivery,
    export_files::{self as files, COLUMNS, Record},
    oracle_delivery,
    s3_signature::hex,
    setup::{AZURE_BUCKET, ORACLE_BUCKET, S3_BUCKET, S3_PREFIX},
    world::{
        azure_runs::{self, Run},
        export_names::PAYERS,
        export_row::ExportRow,
    },
};
use crate::charge::Month;

/// The exports, one for each organisation: name, and whether it is delivered as Parquet.
const EXPORTS: [(&str, bool); PAYERS.len()] = [("focus-gruppe", false), ("focus-labs", true)];
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

/// A bucket of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    Aws,
    Azure,
    Oracle,
}

impl Bucket {
    const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Oracle];

    /// The bucket of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aws => S3_BUCKET,
            Self::Azure => AZURE_BUCKET,
            Self::Oracle => ORACLE_BUCKET,
        }
    }

    /// What was delivered into it by a time, without what was deleted since.
    fn deliveries(
        self,
        world: &World,
        at: Timestamp,
        repeated: u64,
        uninvoiced: Option<i64>,
    ) -> Vec<Delivery> {
        let delivery = |content| Delivery { content, repeated };
        match self {
            Self::Aws => {
                let months = world.export.months(at).into_iter();
                let delivered = months.filter_map(|month| {
                    let delivered = world.export.delivered(month, at)?;
                    Some((0..EXPORTS.len()).map(move |payer| {
                        let month = PayerMonth {
                            payer,
                            month,
                            delivered,
                            uninvoiced: uninvoiced.filter(|_| payer == 0),
                        };
                        delivery(Content::Aws(month))
                    }))
                });
                delivered.flatten().collect()
            }
            Self::Azure => {
                let runs = azure_runs::runs(world.azure.begins, at).into_iter();
                runs.map(|run| delivery(Content::Azure(run))).collect()
            }
            // Nothing that is there already is ever written again.
            Self::Oracle => {
                let repeated = 0;
                let written = world.oracle.written(at).map(Content::Oracle);
                written
                    .map(|content| Delivery { content, repeated })
                    .collect()
            }
        }
    }
}

/// Deliveries that were made already, by bucket: only those that are still in the store.
#[derive(Debug, Default)]
pub(in crate::demo) struct Deliveries(Mutex<HashMap<Bucket, Made>>);

/// What is in a bucket.
#[derive(Debug, Default)]
struct Made {
    deliveries: HashMap<Delivery, Vec<String>>,
    objects: Arc<Objects>,
}

/// What was delivered, and how often it was delivered again at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Delivery {
    content: Content,
    repeated: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    Aws(PayerMonth),
    Azure(Run),
    /// The file that was written at a time.
    Oracle(Timestamp),
}

/// One month of one export of AWS as it was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PayerMonth {
    /// The position of its organisation.
    payer: usize,
    month: Month,
    delivered: Timestamp,
    /// The billed cost of one more row, which names no invoice, in cents.
    uninvoiced: Option<i64>,
}

impl Deliveries {
    /// Everything in a bucket at a time. With an amount in cents, each month of the first export of AWS has one more row of
    /// this billed cost, which names no invoice.
    pub(super) fn objects(
        &self,
        bucket: Bucket,
        world: &World,
        at: Timestamp,
        repeated: u64,
        uninvoiced: Option<i64>,
    ) -> Arc<Objects> {
        let wanted = bucket.deliveries(world, at, repeated, uninvoiced);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = known.entry(bucket).or_default();
        let is_there = wanted.iter().all(|one| made.deliveries.contains_key(one));
        if is_there && made.deliveries.len() == wanted.len() {
            return made.objects.clone();
        }
        let objects = Arc::make_mut(&mut made.objects);
        made.deliveries.retain(|delivery, keys| {
            let stays = wanted.contains(delivery);
            if !stays {
                for key in keys {
                    objects.remove(key);
                }
            }
            stays
        });
        for delivery in wanted {
            made.deliveries.entry(delivery).or_insert_with(|| {
                let new = delivery.objects(world);
                let keys = new.keys().cloned().collect();
                objects.extend(new);
                keys
            });
        }
        made.objects.clone()
    }
}

impl Delivery {
    fn objects(self, world: &World) -> Objects {
        match self.content {
            Content::Aws(month) => self.month(month, world),
            Content::Azure(run) => azure_delivery::objects(self, run, &world.azure),
            Content::Oracle(written) => oracle_delivery::objects(self, written, &world.oracle),
        }
    }

    /// One month of an export of AWS.
    fn month(self, of: PayerMonth, world: &World) -> Objects {
        let PayerMonth {
            payer,
            month,
            delivered,
            ..
        } = of;
        let (name, is_parquet) = EXPORTS[payer];
        let export = &world.export;
        let mut rows = export.rows(payer, month, delivered);
        if let (Some(cents), Some(row)) = (of.uninvoiced, rows.first().cloned()) {
            rows.push(ExportRow {
                billed: cents as f64 / 100.0,
                invoice: None,
                ..row
            });
        }
        let records: Vec<_> = rows
            .iter()
            .map(|row| Record { export, month, row })
            .collect();
        let period = format!("BILLING_PERIOD={month}");
        let data = |part: usize, ending: &str| {
            format!("{S3_PREFIX}/{name}/data/{period}/{name}-{part:05}.{ending}")
        };
        let mut objects = Objects::new();
        let written = delivered - SignedDuration::from_secs(40);
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
        let addresses: Vec<_> = objects
            .keys()
            .map(|key| format!("s3://{S3_BUCKET}/{key}"))
            .collect();
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|(column, kind)| json!({"name": column, "type": kind.name(), "nullable": true}))
            .collect();
        let manifest = json!({
            "executionId": self.id().to_string(),
            "exportArn": format!("arn:aws:bcm-data-exports:us-east-1:{}:export/{name}-0", PAYERS[payer].0),
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
            self.object(manifest.to_string().into_bytes(), delivered),
        );
        objects
    }

    /// The id of what delivered it.
    pub(super) fn id(self) -> uuid::Uuid {
        let bytes = self.hash(b"execution")[..16].try_into().unwrap_or_default();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    pub(super) fn object(self, bytes: Vec<u8>, modified: Timestamp) -> Object {
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
