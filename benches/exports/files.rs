//! The files that are read, made by `DuckDB`: one month of FOCUS 1.2 with as many columns as AWS delivers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::common::process::tell;

/// The forms, by how names of their files end.
pub(crate) const FORMS: [&str; 3] = ["csv.gz", "snappy.parquet", "zstd.parquet"];

/// `DuckDB`'s Python, which `tests/tools/exports.sh` brings.
pub(crate) fn duckdb(arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("target/tools/bin/exports-python"));
    command
        .arg(root.join("benches/exports/peer.py"))
        .args(arguments);
    command
}

/// The folder with one file of so many rows, several times over; it is made if it is not there.
pub(crate) fn folder(
    parent: &Path,
    form: &str,
    rows: u64,
    times: usize,
) -> anyhow::Result<PathBuf> {
    let folder = parent.join(format!("exports-{rows}-{times}-{form}"));
    let first = folder.join(format!("part-00000.{form}"));
    if !first.exists() {
        fs::create_dir_all(&folder)?;
        if times == 1 {
            tell(&format!("writing {rows} rows as {form}"));
            let path = first.display().to_string();
            let status = duckdb(&["make", &path, &rows.to_string()]).status()?;
            anyhow::ensure!(status.success(), "DuckDB wrote no {path}: {status}");
        } else {
            let one = self::folder(parent, form, rows, 1)?.join(format!("part-00000.{form}"));
            // Copies, as names of one file are read once. The first last, so that it says that all are there.
            for number in (0..times).rev() {
                fs::copy(&one, folder.join(format!("part-{number:05}.{form}")))?;
            }
        }
    }
    Ok(folder)
}

/// The files of a folder.
pub(crate) fn of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}
