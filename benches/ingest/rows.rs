//! The rows that are read: hourly consumption as the Enterprise Dashboard sends it, some 600 bytes each, one hour of all
//! resources after the other.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

/// How many rows a file has at the most. More are this file several times.
pub(crate) const MOST: u64 = 1_000_000;
/// The month that all rows lie in.
pub(crate) const MONTH: &str = "2024-08";

const RESOURCES: u64 = 2000;
const PROJECTS: u64 = 40;
const PRODUCTS: u64 = 50;
const HOURS: u64 = 31 * 24;

/// The file with a number of rows, which is made if it is not there: one a line, in an array, or lines as gzip.
pub(crate) fn file(folder: &Path, form: &str, rows: u64) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{form}-{rows}"));
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    let unfinished = folder.join("unfinished");
    let file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    match form {
        "lines" => write(file, "", "\n", "\n", rows)?,
        "array" => write(file, "[", ",", "]", rows)?,
        "gzip" => write(
            GzEncoder::new(file, Compression::default()),
            "",
            "\n",
            "\n",
            rows,
        )?,
        _ => anyhow::bail!("no such form: {form}"),
    }
    fs::rename(unfinished, &path)?;
    Ok(path)
}

fn write(
    mut file: impl Write,
    before: &str,
    between: &str,
    after: &str,
    rows: u64,
) -> anyhow::Result<()> {
    let mut dice = fastrand::Rng::with_seed(1_732_183);
    file.write_all(before.as_bytes())?;
    for number in 0..rows {
        if number > 0 {
            file.write_all(between.as_bytes())?;
        }
        write_row(&mut file, number, &mut dice)?;
    }
    file.write_all(after.as_bytes())?;
    file.flush()?;
    Ok(())
}

/// The fields stand in the order of the documented example, and amounts have as many digits as there.
fn write_row(file: &mut impl Write, number: u64, dice: &mut fastrand::Rng) -> std::io::Result<()> {
    let resource = number % RESOURCES;
    let (project, product) = (resource % PROJECTS, resource / PROJECTS % PRODUCTS);
    let hour = number / RESOURCES % HOURS;
    let quantity = dice.f64() * 10_f64.powi(dice.i32(-5..4));
    let list = quantity * (product + 1) as f64 * 0.001_37;
    let amount = list * 0.93;
    write!(
        file,
        r#"{{"amount":{amount:?},"amount_excluding_discount":{list:?},"bill_cycle_day":1,"#
    )?;
    write!(
        file,
        r#""consumption_date":"{MONTH}-{:02}T{:02}:00:00","contract":{},"#,
        hour / 24 + 1,
        hour % 24,
        1_000_012_345 + project % 4
    )?;
    write!(
        file,
        r#""etl_updated":"2024-08-02T03:24:00","external_priceplan":"pp_OTC_RDS_BK_{product:02}_EU-DE","#
    )?;
    write!(
        file,
        r#""product":"OTC_RDS_BK_{product:02}","product_description":"RDS Backup Space {product:02}","#
    )?;
    write!(
        file,
        r#""project_id":"{:032x}","project_name":"eu-de_project-{project:02}","#,
        u128::from(project + 1) * 0x0845_f722_6c0d_8450_793a
    )?;
    write!(
        file,
        r#""quantity":{quantity:?},"quantity_type":"GB/Month","region":"EU-DE","#
    )?;
    write!(
        file,
        r#""resource_id":"{:032x}in04.obs","status":"AGGREGATION_PROCESSED","usage_id":"66ac1cfa{number:016x}"}}"#,
        u128::from(resource + 1) * 0x00aa_0b05_9b6f_124c_9c86
    )
}
