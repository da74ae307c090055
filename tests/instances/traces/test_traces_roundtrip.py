"""Any requests written in a plain format come back the same."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instances.traces import load_trace

MEMORY = 10_000
ROW = st.tuples(st.integers(0, 10**12), st.integers(1, 5000), st.integers(1, 5000))
NAMES = ("arrival_s", "prompt_tokens", "output_tokens")


def write_csv(path, rows):
    """Write seconds with nine decimals."""
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(NAMES)
    out.writerows((f"{time // 10**9}.{time % 10**9:09d}", s, o) for time, s, o in rows)
    path.write_bytes(gzip.compress(text.getvalue().encode()) if path.suffix == ".gz" else text.getvalue().encode())


def write_jsonl(path, rows):
    """Write seconds as JSON numbers with all their decimals."""
    lines = [
        f'{{"arrival_s": {time // 10**9}.{time % 10**9:09d}, "prompt_tokens": {s}, "output_tokens": {json.dumps(o)}}}'
        for time, s, o in rows
    ]
    path.write_text("\n".join(lines))


def write_parquet(path, rows):
    """Write times as nanosecond timestamps."""
    time, prompt, output = zip(*rows, strict=True)
    columns = {"arrival_s": pa.array(time, pa.timestamp("ns")), "prompt_tokens": prompt, "output_tokens": output}
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize(
    ("name", "writer"),
    [("t.csv", write_csv), ("t.csv.gz", write_csv), ("t.jsonl", write_jsonl), ("t.parquet", write_parquet)],
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_plain_formats_round_trip(tmp_path, name, writer, rows):
    """Lengths, order and exact arrival rounds survive each plain format."""
    rows.sort(key=lambda row: row[0])
    writer(tmp_path / name, rows)
    inst = load_trace(tmp_path / name, memory=MEMORY)
    first = rows[0][0]
    assert inst.prompt.tolist() == [row[1] for row in rows]
    assert inst.output.tolist() == [row[2] for row in rows]
    assert inst.arrival.tolist() == [(row[0] - first) // 30_000_000 for row in rows]
    assert inst.arrival_seconds.tolist() == [(row[0] - first) / 1e9 for row in rows]
