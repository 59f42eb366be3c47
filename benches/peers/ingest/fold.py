"""Folds rows into sums in Python: `json URL` line by line from a socket, `duckdb FILE|URL [THREADS]` with GROUP BY."""

import json
import sys
import time


def peak() -> float:
    """The most memory that this process had, in MB."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def read_json(url: str) -> tuple[float, int, float]:
    import urllib.request

    begin = time.perf_counter()
    folded: dict[tuple, list[float]] = {}
    rows = 0
    with urllib.request.urlopen(url) as answer:
        for line in answer:
            row = json.loads(line)
            key = (row["contract"], row["project_name"], row["product"], row["region"], row["consumption_date"][:10])
            sums = folded.setdefault(key, [0.0, 0.0, 0.0])
            sums[0] += row["amount"]
            sums[1] += row["amount_excluding_discount"]
            sums[2] += row["quantity"]
            rows += 1
    return time.perf_counter() - begin, rows, sum(sums[0] for sums in folded.values())


def fetched_with_duckdb(url: str) -> tuple[float, int, float]:
    """Without an extension DuckDB reads files, so an answer is one first."""
    import shutil
    import tempfile
    import urllib.request

    begin = time.perf_counter()
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        with urllib.request.urlopen(url) as answer:
            shutil.copyfileobj(answer, file, 1 << 20)
        file.flush()
        fetched = time.perf_counter() - begin
        seconds, rows, total = read_duckdb(file.name, None)
    return fetched + seconds, rows, total


def read_duckdb(file: str, threads: str | None) -> tuple[float, int, float]:
    import duckdb

    connection = duckdb.connect()
    if threads:
        connection.execute(f"SET threads = {int(threads)}")
    columns = {
        "amount": "DOUBLE",
        "amount_excluding_discount": "DOUBLE",
        "quantity": "DOUBLE",
        "quantity_type": "VARCHAR",
        "consumption_date": "TIMESTAMP",
        "contract": "BIGINT",
        "project_name": "VARCHAR",
        "product": "VARCHAR",
        "region": "VARCHAR",
    }
    begin = time.perf_counter()
    rows, total = connection.execute(
        """
        SELECT sum(rows)::BIGINT, sum(billed) FROM (
            SELECT contract, project_name, product, region, quantity_type, consumption_date::DATE AS day,
                count(*) AS rows, sum(amount) AS billed, sum(amount_excluding_discount) AS list, sum(quantity) AS quantity
            FROM read_json(?, format = 'newline_delimited', columns = $columns)
            GROUP BY ALL
        )
        """.replace("$columns", "{" + ", ".join(f"{name}: '{kind}'" for name, kind in columns.items()) + "}"),
        [file],
    ).fetchone()
    return time.perf_counter() - begin, rows, total


def main() -> None:
    how, what, *rest = sys.argv[1:]
    if how == "json":
        seconds, rows, total = read_json(what)
    elif what.startswith("http:"):
        seconds, rows, total = fetched_with_duckdb(what)
    else:
        seconds, rows, total = read_duckdb(what, rest[0] if rest else None)
    print(json.dumps({"seconds": seconds, "cpu": time.process_time(), "rows": rows, "total": total, "peak": peak()}))


main()
