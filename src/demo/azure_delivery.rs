//! One run of an export of Azure: its own folder, with partitions of compressed CSV or one Parquet file, and then the
//! manifest that names them.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    azure_files::{self as files, Record},
    export_delivery::{Delivery, Object, Objects},
    setup::AZURE_PREFIX,
    world::{azure_runs::Run, export::Export},
};

/// The organisation whose export it is: there is only one.
const PAYER: usize = 0;

/// The objects of a run.
pub(super) fn objects(delivery: Delivery, run: Run, export: &Export) -> Objects {
    let month = run.month;
    let rows = export.rows(PAYER, month, run.submitted);
    let records: Vec<_> = rows
        .iter()
        .map(|row| Record { export, month, row })
        .collect();
    let id = delivery.id();
    let name = if run.is_monthly {
        "focus-last-month"
    } else {
        "focus-daily"
    };
    let (first, last) = (month.first_day(), month.last_day());
    let folder = format!(
        "{AZURE_PREFIX}/{name}/{}-{}/{}/{id}",
        first.strftime("%Y%m%d"),
        last.strftime("%Y%m%d"),
        run.submitted.strftime("%Y%m%d%H%M"),
    );
    let written = run.written() - SignedDuration::from_secs(30);
    let parts: Vec<(String, usize, Object)> = if run.is_monthly {
        let file = delivery.object(files::parquet(&records), written);
        vec![(
            format!("{folder}/part_0_0001.snappy.parquet"),
            records.len(),
            file,
        )]
    } else {
        let (first, second) = records.split_at(records.len() / 2);
        let parts = [first, second].into_iter().enumerate();
        parts
            .map(|(number, records)| {
                let file = delivery.object(files::csv_gz(records), written);
                let name = format!("{folder}/part_{number}_0001.csv.gz");
                (name, records.len(), file)
            })
            .collect()
    };
    let blobs: Vec<_> = parts
        .iter()
        .map(|(name, rows, file)| {
            json!({"blobName": name, "byteCount": file.bytes.len(), "dataRowCount": rows})
        })
        .collect();
    let bytes: usize = parts.iter().map(|(_, _, file)| file.bytes.len()).sum();
    let (scope, _) = export.catalogue.payers[PAYER];
    let day = |day: jiff::civil::Date| format!("{day}T00:00:00");
    let manifest = json!({
        "manifestVersion": "2024-04-01",
        "byteCount": bytes,
        "blobCount": blobs.len(),
        "dataRowCount": records.len(),
        "exportConfig": {
            "exportName": name,
            "resourceId": format!("{scope}/providers/Microsoft.CostManagement/exports/{name}"),
            "dataVersion": "1.2-preview",
            "apiVersion": "2023-07-01-preview",
            "type": "FocusCost",
            "timeFrame": if run.is_monthly { "TheLastMonth" } else { "MonthToDate" },
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": true,
            "dataOverwriteBehavior": "CreateNewReport",
            "fileFormat": if run.is_monthly { "Parquet" } else { "Csv" },
            "compressionMode": if run.is_monthly { "Snappy" } else { "gzip" },
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": run.submitted.strftime("%Y-%m-%dT%H:%M:%S.0000000Z").to_string(),
            "runId": id.to_string(),
            "startDate": day(first),
            "endDate": day(run.last_day()),
        },
        "blobs": blobs,
    });
    let mut objects: Objects = parts
        .into_iter()
        .map(|(name, _, file)| (name, file))
        .collect();
    objects.insert(
        format!("{folder}/manifest.json"),
        delivery.object(manifest.to_string().into_bytes(), run.written()),
    );
    objects
}
