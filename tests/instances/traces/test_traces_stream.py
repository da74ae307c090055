"""Traces in windows: the rows of the whole trace, each once, in the memory of a window."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instances.traces import TraceWarning, load_trace, stream_requests, stream_trace
from instances.traces import blocks as blocks_module
from kvratio.problem.errors import BadParameter, TraceError

HEAD = "arrival_s,prompt_tokens,output_tokens\n"
PLAIN = {"columns": {"prompt": "p", "output": "o", "arrival": "t"}, "time_unit": "ms"}


def _parquet(path, n, step=1):
    """Write n rows, one every ``step`` milliseconds, in pieces."""
    schema = pa.schema([("t", pa.int64()), ("p", pa.int64()), ("o", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, n, 100_000):
            k = np.arange(begin, min(begin + 100_000, n), dtype=np.int64)
            writer.write_table(pa.table({"t": k * step, "p": 1 + k * 7 % 900, "o": 1 + k * 11 % 300}))
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    """Let blocks be of seven rows, so that windows begin and end inside of them."""
    monkeypatch.setattr(blocks_module, "BLOCK_ROWS", 7)


@pytest.mark.parametrize("size", [1, 5, 7, 16, 1000])
def test_windows_of_requests_hold_every_row_once(tmp_path, small_blocks, size):
    """End to end, the windows are the trace; each counts its rounds from its first row and says where it begins."""
    path = _parquet(tmp_path / "t.parquet", 100, step=10)
    whole = load_trace(path, 10**4, **PLAIN)
    parts = list(stream_trace(path, 10**4, requests=size, **PLAIN))
    assert [part.n for part in parts][:-1] == [size] * (len(parts) - 1)
    for column in ("prompt", "output"):
        assert np.concatenate([getattr(part, column) for part in parts]).tolist() == getattr(whole, column).tolist()
    for k, part in enumerate(parts):
        assert part.arrival[0] == 0
        told = part.info["trace"]["window"]
        assert told == {"index": k, "from_seconds": k * size * 10 / 1000, "first_row": 1 + k * size}
        again = whole.arrival_seconds[k * size : (k + 1) * size] - told["from_seconds"]
        assert part.arrival_seconds == pytest.approx(again, abs=1e-9)


def test_windows_of_seconds_begin_on_the_clock(write, small_blocks):
    """Rows fall into [k S, (k + 1) S) from the first row; empty windows are left out; times count from k S."""
    path = write("t.csv", HEAD + "".join(f"{t},5,{k + 1}\n" for k, t in enumerate([3.0, 3.5, 4.9, 5.0, 9.2, 9.1])))
    with pytest.warns(TraceWarning, match=r"6 rows read, 6 requests kept: 1 out of order \(sort\)"):
        parts = list(stream_trace(path, 100, seconds=2, round_seconds=0.5))
    assert [part.info["trace"]["window"]["index"] for part in parts] == [0, 1, 3]
    assert [part.output.tolist() for part in parts] == [[1, 2, 3], [4], [6, 5]]
    assert [part.arrival.tolist() for part in parts] == [[0, 1, 3], [0], [0, 0]]


def test_a_row_of_a_window_that_is_gone_is_refused(write, small_blocks):
    """In windows of seconds a late row cannot be placed: file, line and column are named."""
    path = write("t.csv", HEAD + "0.0,5,1\n2.5,5,1\n1.9,5,1\n")
    with pytest.raises(TraceError, match=r"t\.csv, line 4, column 'arrival_s': it belongs to a window"):
        list(stream_trace(path, 100, seconds=2))


def test_rules_hold_over_all_windows(write, small_blocks):
    """Rows that a rule drops are counted over the whole trace and told once; a window without rows is not given."""
    path = write("t.csv", HEAD + "0,5,0\n1,5,0\n2,5,3\n3,500,3\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = list(stream_trace(path, 100, requests=2))
    assert [part.prompt.tolist() for part in parts] == [[5]]
    assert [str(w.message) for w in caught] == [
        "trace t: 4 rows read, 1 requests kept: 2 with 0 output tokens (drop), 1 larger than memory 100 (drop)"
    ]
    with pytest.raises(TraceError, match="no request is left"):
        list(stream_trace(path, 4, requests=2))


def test_requests_of_the_serving_model(write, small_blocks):
    """The same windows as arrival sequences in seconds; rows without a prompt are dropped, lengths alone refused."""
    path = write("t.csv", HEAD + "10,5,2\n11,0,2\n12.5,7,4\n")
    with pytest.warns(TraceWarning, match="1 with 0 prompt tokens"):
        (only,) = stream_requests(path, seconds=60)
    assert only.prompt.tolist() == [5, 7]
    assert only.arrival.tolist() == [0.0, 2.5]
    lengths = write("l.csv", "prompt_tokens,output_tokens\n5,2\n")
    with pytest.raises(TraceError, match="no arrival times"):
        list(stream_requests(lengths, requests=5))
    assert next(stream_trace(lengths, 100, requests=5)).is_batch


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "either as requests or as seconds"),
        ({"requests": 2, "seconds": 2}, "either as requests or as seconds"),
        ({"requests": 0}, "requests is 0"),
        ({"seconds": -1}, "seconds is -1"),
    ],
)
def test_windows_have_one_length(write, options, match):
    """No length, two, or none above 0 is bad use."""
    path = write("t.csv", HEAD + "0,5,2\n")
    with pytest.raises(BadParameter, match=match):
        list(stream_trace(path, 100, **options))


def test_memory_does_not_grow_with_the_trace(tmp_path):
    """Arrays held at the peak (tracemalloc) are the same for 4 times the rows, and a small part of the whole trace."""
    peaks = []
    for n in (150_000, 600_000):
        path = _parquet(tmp_path / f"{n}.parquet", n)
        tracemalloc.start()
        assert sum(part.n for part in stream_trace(path, 10**4, requests=20_000, **PLAIN)) == n
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


STREAMS = """
import resource, sys
from instances.traces import stream_trace
columns = {"prompt": "p", "output": "o", "arrival": "t"}
n = sum(i.n for i in stream_trace(sys.argv[1], 10**4, requests=100_000, columns=columns, time_unit="ms"))
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_ten_million_rows_take_the_memory_of_a_window(tmp_path):
    """The process's peak (ru_maxrss) with 10^7 rows is within 40 MiB of that with 3 * 10^5."""
    peaks = []
    for n in (300_000, 10_000_000):
        path = _parquet(tmp_path / f"{n}.parquet", n)
        done = subprocess.run([sys.executable, "-c", STREAMS, str(path)], check=True, capture_output=True, text=True)
        rows, peak = map(int, done.stdout.split())
        assert rows == n
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 40
