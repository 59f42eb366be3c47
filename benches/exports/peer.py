"""DuckDB beside us: peer.py make FILE ROWS writes an export of FOCUS 1.2, peer.py read FILE... adds it up with one
thread, by the columns that an account with default settings needs, and prints what that took as one line of JSON.
"""

import json
import pathlib
import resource
import sys
import time

import duckdb

# One month, some 60 sub accounts with 40 services each, a resource in every row, as many columns as AWS delivers.
ROW = """
SELECT
    NULL::VARCHAR AS AvailabilityZone,
    round(random() * 10, 10) AS BilledCost,
    '111122223333' AS BillingAccountId,
    'Example Corp' AS BillingAccountName,
    'Management' AS BillingAccountType,
    'USD' AS BillingCurrency,
    TIMESTAMP '2026-06-01' AS BillingPeriodEnd,
    TIMESTAMP '2026-05-01' AS BillingPeriodStart,
    NULL::VARCHAR AS CapacityReservationId,
    NULL::VARCHAR AS CapacityReservationStatus,
    CASE WHEN i % 997 = 0 THEN 'Credit' ELSE 'Usage' END AS ChargeCategory,
    CASE WHEN i % 5003 = 0 THEN 'Correction' END AS ChargeClass,
    'on demand, ' || (i % 40)::VARCHAR AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    TIMESTAMP '2026-05-01' + to_hours((i % 744)::INTEGER + 1) AS ChargePeriodEnd,
    TIMESTAMP '2026-05-01' + to_hours((i % 744)::INTEGER) AS ChargePeriodStart,
    NULL::VARCHAR AS CommitmentDiscountCategory,
    NULL::VARCHAR AS CommitmentDiscountId,
    NULL::VARCHAR AS CommitmentDiscountName,
    NULL::DOUBLE AS CommitmentDiscountQuantity,
    NULL::VARCHAR AS CommitmentDiscountStatus,
    NULL::VARCHAR AS CommitmentDiscountType,
    NULL::VARCHAR AS CommitmentDiscountUnit,
    round(random() * 1000, 6) AS ConsumedQuantity,
    'Hrs' AS ConsumedUnit,
    round(random() * 10, 10) AS ContractedCost,
    round(random(), 10) AS ContractedUnitPrice,
    round(random() * 9, 10) AS EffectiveCost,
    'INV-2026-05-' || (i % 7)::VARCHAR AS InvoiceId,
    'Amazon Web Services, Inc.' AS InvoiceIssuerName,
    round(random() * 11, 10) AS ListCost,
    round(random(), 10) AS ListUnitPrice,
    'Standard' AS PricingCategory,
    'USD' AS PricingCurrency,
    NULL::DOUBLE AS PricingCurrencyContractedUnitPrice,
    NULL::DOUBLE AS PricingCurrencyEffectiveCost,
    NULL::DOUBLE AS PricingCurrencyListUnitPrice,
    round(random() * 1000, 6) AS PricingQuantity,
    'Hrs' AS PricingUnit,
    'AWS' AS ProviderName,
    'Amazon Web Services, Inc.' AS PublisherName,
    'eu-central-1' AS RegionId,
    'Europe (Frankfurt)' AS RegionName,
    'arn:aws:ec2:eu-central-1:' || (100000000000 + i % 60)::VARCHAR || ':instance/i-' || md5((i % 20000)::VARCHAR)[:17] AS ResourceId,
    NULL::VARCHAR AS ResourceName,
    'instance' AS ResourceType,
    'Compute' AS ServiceCategory,
    'Amazon Service ' || (i // 60 % 40)::VARCHAR AS ServiceName,
    'Virtual Machines' AS ServiceSubcategory,
    'SKU' || md5((i % 400)::VARCHAR)[:13] AS SkuId,
    'BoxUsage:m5.large' AS SkuMeter,
    NULL::VARCHAR AS SkuPriceDetails,
    'PRICE' || md5((i % 400)::VARCHAR)[:20] AS SkuPriceId,
    (100000000000 + i % 60)::VARCHAR AS SubAccountId,
    'sub account ' || (i % 60)::VARCHAR AS SubAccountName,
    'Member' AS SubAccountType,
    '{"env":"prod","team":"team-' || (i % 25)::VARCHAR || '"}' AS Tags,
    NULL::VARCHAR AS x_Discounts,
    'RunInstances' AS x_Operation,
    'AmazonEC2' AS x_ServiceCode
FROM range({rows}) AS rows(i)
"""

# What an account with default settings needs: days, names and ids of the three labels, both costs, and what a forecast
# must not extrapolate.
SUMS = """
SELECT
    BillingAccountId, BillingAccountName, SubAccountId, SubAccountName, ServiceName, BillingCurrency,
    date_trunc('day', ChargePeriodStart) AS day,
    ChargeCategory <> 'Usage' OR ChargeClass IS NOT NULL OR ChargeFrequency <> 'Usage-Based' AS fixed,
    count(*) AS charges, sum(BilledCost) AS billed, sum(EffectiveCost) AS effective,
    min(BillingPeriodStart), max(BillingPeriodEnd), max(ChargePeriodEnd)
FROM {source} GROUP BY ALL
"""


def source(files):
    names = [str(file) for file in files]
    return f"read_parquet({names!r})" if names[0].endswith(".parquet") else f"read_csv({names!r})"


def make(file, rows):
    endings = {
        ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'",
        ".snappy.parquet": "FORMAT parquet, COMPRESSION snappy",
        ".zstd.parquet": "FORMAT parquet, COMPRESSION zstd",
    }
    options = next(options for ending, options in endings.items() if file.name.endswith(ending))
    unfinished = file.parent / f"unfinished-{file.name}"
    rows_of_export = ROW.replace("{rows}", str(rows))
    duckdb.execute("SELECT setseed(0.5)")
    duckdb.execute("SET threads = 1")
    duckdb.execute(f"COPY ({rows_of_export}) TO '{unfinished}' ({options})")
    unfinished.rename(file)


def megabytes(field):
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def read(files):
    duckdb.execute("SET threads = 1")
    duckdb.execute("SET TimeZone = 'UTC'")
    idle, began = megabytes("VmRSS"), time.perf_counter()
    duckdb.execute(f"CREATE TEMP TABLE sums AS {SUMS.format(source=source(files))}")
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    rows, total = duckdb.execute("SELECT sum(charges)::BIGINT, fsum(billed) FROM sums").fetchone()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "rows": rows,
                "cpu": used.ru_utime + used.ru_stime,
                "total": total,
                "peak": megabytes("VmHWM"),
                "grown": megabytes("VmHWM") - idle,
            }
        )
    )


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]), int(sys.argv[3]))
else:
    read(sys.argv[2:])
