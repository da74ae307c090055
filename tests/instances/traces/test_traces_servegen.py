"""ServeGen client files: parsed field by field, drawn by seed, with the published rates and lengths."""

import json

import numpy as np
import pytest

from instances.traces import TraceWarning, load_trace
from kvratio.problem.errors import BadParameter, TraceError

HIST = {"input_tokens": "{10: 0.25, 20: 0.75}", "output_tokens": "{3: 0.5, 4: 0.5}", "reason_ratio": "{}"}
EMPTY = {"input_tokens": "{}", "output_tokens": "{}", "reason_ratio": "{}"}


@pytest.fixture
def folder(write, tmp_path):
    """A folder of two clients: four windows of 600 s, rates 2, 0, 4, 1 and a Weibull client."""
    write(
        "m/chunk-1-trace.csv",
        "0,2,1.4,Gamma,0.5,1\r\n600,0,0,,0,0\r\n1200,4,1,Gamma,1,0.25\r\n1800,1,0.7,Weibull,1.5,1.1\r\n",
    )
    write("m/chunk-1-dataset.json", json.dumps({"0": HIST, "1200": {**HIST, "input_tokens": "{500: 1.0}"}}))
    write("m/chunk-22-trace.csv", "0,3,0.5,Weibull,2,1\r\n600,3,0.5,Weibull,2,1\r\n1200,0,0,,0,0\r\n1800,0,0,,0,0\r\n")
    write("m/chunk-22-dataset.json", json.dumps({"0": {**HIST, "output_tokens": "{77: 2.0}"}, "1200": EMPTY}))
    return tmp_path / "m"


def test_folder_is_recognised_and_drawn_by_seed(folder):
    """A folder of client files is drawn: same seed same requests, another seed others."""
    first, again = load_trace(folder, memory=1000), load_trace(folder, memory=1000)
    assert first == again
    assert first != load_trace(folder, memory=1000, seed=1)
    assert first.info["trace"]["format"] == "servegen_client_files"
    assert first.info["trace"]["clients"] == 2
    assert first.info["trace"]["window"] == [0.0, 2400.0]
    assert (np.diff(first.arrival_seconds) >= 0).all()


def test_rates_and_lengths_are_the_published_ones(folder):
    """Counts per window are near rate x 600, silent windows are silent, lengths follow the histogram in force."""
    inst = load_trace(folder, memory=1000, clients=[1], batch=False)
    counts = np.histogram(inst.arrival_seconds, bins=[0, 600, 1200, 1800, 2400])[0]
    assert counts[1] == 0
    for count, mean in zip(counts[[0, 2, 3]], (1200, 2400, 600), strict=True):
        assert abs(count - mean) < 6 * np.sqrt(2 * mean)
    early = inst.arrival_seconds < 1190
    assert set(inst.prompt[early]) == {10, 20}
    assert set(inst.prompt[~early]) == {500}
    assert abs((inst.prompt[early] == 20).mean() - 0.75) < 0.06
    assert set(inst.output) == {3, 4}


def test_window_and_limit(folder):
    """A window draws a part of the day, and limit keeps its first requests."""
    part = load_trace(folder, memory=1000, window=(1200, 1500), clients=[1])
    assert 900 < part.n < 1500
    assert part.arrival_seconds[-1] < 300
    few = load_trace(folder, memory=1000, window=(1200, 1500), clients=[1], limit=5)
    assert np.array_equal(few.arrival_seconds, part.arrival_seconds[:5])


def test_clients_have_their_own_streams(folder):
    """Leaving one client out does not change the requests of the other."""
    both = load_trace(folder, memory=1000)
    alone = load_trace(folder / "chunk-22-trace.csv", memory=1000)
    mine = both.output == 77
    assert np.array_equal(both.prompt[mine], alone.prompt)


def test_expected_count_holds_from_the_start(folder):
    """The first gap has the equilibrium law: short windows have rate x length arrivals on average."""
    counts = []
    for seed in range(300):
        try:
            counts.append(load_trace(folder, memory=1000, window=(0, 1), clients=[1], seed=seed).n)
        except TraceError:  # a draw of no request at all
            counts.append(0)
    assert abs(np.mean(counts) - 2) < 0.45


def test_empty_histogram_is_borrowed_and_said(folder, write):
    """Arrivals in a window without a histogram take the nearest one, and the warning counts them."""
    write("m/chunk-22-trace.csv", "0,0,0,,0,0\n600,0,0,,0,0\n1200,3,0.5,Weibull,2,1\n")
    with pytest.warns(TraceWarning, match="nearest window"):
        inst = load_trace(folder, memory=1000, clients=[22])
    assert set(inst.output) == {77}
    write("m/chunk-22-dataset.json", json.dumps({"0": EMPTY}))
    with pytest.warns(TraceWarning, match="publishes no lengths"):
        load_trace(folder, memory=1000)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("0,2,1,Pareto,1,1\n", "line 1, column 'family': 'Pareto'"),
        ("0,fast,1,Gamma,1,1\n", "line 1, column 'rate': 'fast'"),
        ("0,2,1,Gamma,0,1\n", "line 1, column 'shape': '0'"),
        ("0,2,1,Gamma,1\n", "line 1: '0,2,1,Gamma,1' has 5 fields"),
        ("600,2,1,Gamma,1,1\n0,2,1,Gamma,1,1\n", "line 2, column 'window start': '0'"),
        ("", "empty"),
    ],
)
def test_malformed_rates(folder, write, content, text):
    """A fault in a rate file is reported with file, line, column and value."""
    write("m/chunk-1-trace.csv", content)
    with pytest.raises(TraceError) as fault:
        load_trace(folder, memory=1000)
    assert text in str(fault.value)
    assert "chunk-1-trace.csv" in str(fault.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"0": {"input_tokens": "{1: 1.0}"}}', "column 'output_tokens': missing"),
        ('{"0": {"input_tokens": "{1: x}", "output_tokens": "{}"}}', "'1: x' is not 'tokens: probability'"),
        ('{"0": {"input_tokens": "{1: -0.5}", "output_tokens": "{}"}}', "'1: -0.5'"),
        ('{"0": {"input_tokens": "__import__(\'os\')", "output_tokens": "{}"}}', "is not a text"),
        ('{"0": {"input_tokens": "{len([]): 1}", "output_tokens": "{}"}}', "'len([]): 1'"),
        ('{"noon": {}}', "window 'noon'"),
        ('{"0": ', "not JSON"),
        ("[]", "not an object"),
    ],
)
def test_malformed_lengths(folder, write, content, text):
    """A fault in a lengths file is reported with window, column and value; nothing in it is evaluated."""
    write("m/chunk-1-dataset.json", content)
    with pytest.raises(TraceError) as fault:
        load_trace(folder, memory=1000)
    assert text in str(fault.value)
    assert "\n" not in str(fault.value)


def test_bad_use(folder, write, tmp_path):
    """Missing files, clients and windows are named."""
    with pytest.raises(BadParameter, match="within the published 0 to 2400 s"):
        load_trace(folder, memory=1000, window=(0, 9999))
    with pytest.raises(BadParameter, match="clients is empty"):
        load_trace(folder, memory=1000, clients=[])
    with pytest.raises(BadParameter, match="seed is -1"):
        load_trace(folder, memory=1000, seed=-1)
    with pytest.raises(TraceError, match="no client 5"):
        load_trace(folder, memory=1000, clients=[5])
    (folder / "chunk-1-dataset.json").unlink()
    with pytest.raises(TraceError, match=r"chunk-1-dataset\.json is not beside it"):
        load_trace(folder, memory=1000)
    write("m/other_chunk-3-trace.csv", "0,0,0,,0,0\n")
    with pytest.raises(TraceError, match="of 2 models"):
        load_trace(folder, memory=1000)
    (tmp_path / "none").mkdir()
    with pytest.raises(TraceError, match="no file chunk"):
        load_trace(tmp_path / "none", memory=1000)
