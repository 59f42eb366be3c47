"""Adds up FOCUS files with DuckDB: sums.py FOLDER prints a sum for each month and cost basis as JSON.

Purchases that cover later usage are left out of list and contracted cost, which what they cover has as well.
"""

import json
import pathlib
import sys

import duckdb

BASES = {"billed": "BilledCost", "effective": "EffectiveCost", "list": "ListCost", "contracted": "ContractedCost"}
COVERS = "ChargeCategory = 'Purchase' AND EffectiveCost = 0"


def main():
    folder = pathlib.Path(sys.argv[1])
    sums = {}
    for reader, ending in (("read_csv", "csv.gz"), ("read_csv", "csv"), ("read_parquet", "parquet")):
        files = [str(file) for file in sorted(folder.glob(f"*.{ending}")) if file.stat().st_size > 0]
        if not files:
            continue
        columns = ", ".join(
            f"fsum({column}) FILTER (NOT ({COVERS}))" if base in ("list", "contracted") else f"fsum({column})"
            for base, column in BASES.items()
        )
        query = f"SELECT strftime(BillingPeriodStart, '%Y-%m'), count(*), {columns} FROM {reader}(?) GROUP BY 1"
        for month, rows, *values in duckdb.execute(query, [files]).fetchall():
            of_month = sums.setdefault(month, dict.fromkeys(["rows", *BASES], 0.0))
            for name, value in zip(["rows", *BASES], [rows, *values]):
                of_month[name] += value or 0.0
    print(json.dumps(sums))


main()
