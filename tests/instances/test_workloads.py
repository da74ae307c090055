"""Workloads: the laws they promise, common random numbers, traces with tenants, and refusals."""

import gzip
import math
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from instances import load_trace
from instances.traces import TraceWarning
from instances.workloads import (
    Independent,
    PiecewiseRate,
    Sinusoid,
    Table,
    Workload,
    arrivals,
    from_trace,
    workload,
    workload_names,
)
from kvratio.problem.errors import BadParameter, KvratioError, TraceError, UnknownName

KINDS = [("poisson", None), ("gamma", 3.0), ("deterministic", None)]


@pytest.mark.parametrize(("kind", "cv"), KINDS)
def test_rates_stretch_time_only(kind, cv):
    """The same seed at twice the rate gives exactly half the times; fewer requests are a prefix of more."""
    slow, fast = arrivals(kind, 2.0, 500, 7, cv), arrivals(kind, 4.0, 500, 7, cv)
    assert (slow == 2 * fast).all()
    assert (arrivals(kind, 2.0, 200, 7, cv) == slow[:200]).all()
    assert (np.diff(slow) >= 0).all()
    assert slow[0] > 0


@pytest.mark.parametrize(("kind", "cv", "expected"), [("poisson", None, 1.0), ("gamma", 0.5, 0.5), ("gamma", 4.0, 4.0)])
def test_gaps_have_the_stated_mean_and_variation(kind, cv, expected):
    """Mean 1/rate and the coefficient of variation, over 200,000 gaps."""
    gaps = np.diff(arrivals(kind, 5.0, 200_000, 3, cv))
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(expected, rel=0.03)


def test_deterministic_arrivals():
    """Arrival k at k / rate, k = 1, 2, ..."""
    assert arrivals("deterministic", 4.0, 3).tolist() == [0.25, 0.5, 0.75]


def test_recorded_times():
    """Shifted to start at 0, a prefix, and scaled to a rate by the time axis only."""
    times = [10.0, 11.0, 14.0, 30.0]
    assert arrivals("trace", None, 3, trace=times).tolist() == [0.0, 1.0, 4.0]
    assert arrivals("trace", 2.0, 3, trace=times).tolist() == [0.0, 0.25, 1.0]
    requests = Workload([(5, 3, 1.0)]).draw(3, kind="trace", trace=times)
    assert requests.arrival.tolist() == [0.0, 1.0, 4.0]
    assert requests.types[0].rate == 0.5


@pytest.mark.parametrize(
    "rate",
    [
        Sinusoid(5.0, 0.9, 40.0, 0.3),
        Sinusoid(5.0, 1.0, 40.0),
        PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0], period=20),
        PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0]),
    ],
)
def test_varying_rates_are_changes_of_time(rate):
    """Arrivals are the unit process read at the integral of the rate; counts of windows follow that integral."""
    times, units = arrivals("poisson", rate, 4000, 5), arrivals("poisson", 1.0, 4000, 5)
    assert rate.expected(times) == pytest.approx(units, rel=1e-9)
    assert (np.diff(times) >= 0).all()
    edges = np.linspace(0, times[-1], 60)
    counts, expected = np.histogram(times, edges)[0], np.diff(rate.expected(edges))
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected) + 1).all()
    assert rate.scaled(2.0).mean == 2 * rate.mean


@pytest.mark.parametrize("window", [0.5, 3.0, 12.0, 33.0])
@pytest.mark.parametrize(
    "rate",
    [
        Sinusoid(5.0, 0.9, 40.0, 0.3),
        PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0], period=20),
        PiecewiseRate([0, 10, 15], [2.0, 20.0, 9.0]),
    ],
)
def test_peak_of_a_varying_rate(rate, window):
    """The largest mean over a window is that of the best of 20,000 windows tried."""
    starts = np.linspace(0, 80, 20_001)
    tried = (rate.expected(starts + window) - rate.expected(starts)).max() / window
    assert rate.peak(window) == pytest.approx(tried, rel=1e-4)
    assert rate.peak(window) >= tried * (1 - 1e-12)


def test_no_arrival_while_the_rate_is_zero():
    """A piece at rate 0 holds no arrival, in any of its periods."""
    times = arrivals("poisson", PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0], period=20), 5000, 1)
    assert not ((times % 20 > 10) & (times % 20 < 15)).any()
    assert PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0], period=20).mean == (20 + 45) / 20


def test_a_value_is_reached_before_the_pause():
    """Two arrivals a second for ten seconds, then a pause: the 20th comes at its start, the 21st after it."""
    times = arrivals("deterministic", PiecewiseRate([0, 10, 15], [2.0, 0.0, 9.0]), 21)
    assert times[[18, 19, 20]] == pytest.approx([9.5, 10, 15 + 1 / 9])


def test_the_mix_of_a_varying_rate_is_its_mean_over_the_draw():
    """Types carry the mean rate up to the last arrival, here one step up after 100 s."""
    step = PiecewiseRate([0, 100], [2.0, 6.0])
    drawn = workload("p512d20").draw(3000, seed=1, rate=step)
    assert drawn.types[0].rate == pytest.approx(6.0 - 400 / drawn.last_arrival)
    assert drawn.types[0].rate == pytest.approx(3000 / drawn.last_arrival, rel=0.05)


def test_streams_are_separate():
    """Another arrival process, rate, or prediction error leaves lengths as they are, and the other way round."""
    load = workload("lmsys_like", 10.0)
    base = load.draw(300, seed=4, prediction_error=0.5)
    for other in (
        load.draw(300, seed=4, kind="gamma", cv=2.0),
        load.draw(300, seed=4, rate=33.0),
        load.draw(300, seed=4, kind="deterministic", prediction_error=0.1),
    ):
        assert (other.prompt == base.prompt).all()
        assert (other.output == base.output).all()
    assert (load.draw(300, seed=4).arrival == base.arrival).all()
    assert (load.draw(300, seed=4, rate=3.0, prediction_error=0.5).predicted == base.predicted).all()
    assert (workload("mix_512", 10.0).draw(300, seed=4).arrival == base.arrival).all()
    assert (load.draw(300, seed=5).output != base.output).any()


def test_predictions_stay_in_their_band():
    """Predictions are o U[1-e, 1+e] rounded, at least 1; exact by default."""
    load = workload("three_l20")
    drawn = load.draw(4000, prediction_error=0.2)
    assert (drawn.predicted >= np.floor(0.8 * drawn.output)).all()
    assert (drawn.predicted <= np.ceil(1.2 * drawn.output)).all()
    assert drawn.predicted.mean() == pytest.approx(drawn.output.mean(), rel=0.01)
    assert len(np.unique(drawn.predicted[drawn.output == 200])) > 50
    assert (load.draw(50).predicted == load.draw(50).output).all()
    assert Workload([(1, 1, 1.0)]).draw(500, prediction_error=1.0).predicted.min() == 1


def test_backlog_waits_at_zero():
    """So many requests more at time 0, before the others, which stay as they were; the mix keeps its rate."""
    load = workload("clusters10", 8.0)
    plain, behind = load.draw(100, seed=2), load.draw(100, seed=2, backlog=30)
    assert behind.n == 130
    assert (behind.arrival[:30] == 0).all()
    for name in ("prompt", "output", "arrival", "kind", "predicted"):
        assert (getattr(behind, name)[30:] == getattr(plain, name)).all()
    assert behind.types == plain.types
    assert behind.info["backlog"] == 30


def test_types_are_drawn_by_their_rates():
    """Shares of the types match their rates; kinds point at them; the mix is that of the rate drawn at."""
    drawn = workload("three_l20").draw(60_000, rate=12.0)
    assert [kind.rate for kind in drawn.types] == pytest.approx([6, 4, 2])
    assert (np.array([kind.output for kind in drawn.types])[drawn.kind] == drawn.output).all()
    assert np.bincount(drawn.kind) / drawn.n == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.01)
    assert drawn.n / drawn.last_arrival == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("p512d20", [(512, 20, 1)]),
        ("mix_512", [(512, 20, 0.7), (512, 50, 0.3)]),
        ("p512d1000", [(512, 1000, 1)]),
        ("two_l10", [(10, 10, 1), (10, 20, 1)]),
        ("three_l20", [(20, 100, 3), (20, 200, 2), (20, 300, 1)]),
    ],
)
def test_published_types(name, rows):
    """The generators of the published experiments, row by row."""
    assert [tuple(kind) for kind in workload(name).mix] == rows
    assert workload(name, 5.0).rate == pytest.approx(5.0)


def test_clusters():
    """Ten clusters of 60 + 50..500 tokens with rates 23:11:8:7:6:4:3:2:1:1."""
    mix = workload("clusters10").mix
    assert [kind.output for kind in mix] == list(range(50, 501, 50))
    assert [kind.rate for kind in mix] == [23, 11, 8, 7, 6, 4, 3, 2, 1, 1]
    assert {kind.prompt for kind in mix} == {60.0}


def test_chat_law():
    """lmsys_like: mean output 150.5, median 118, 31 % up to 50, 14 % above 300; mean prompt 58.5, median 22; E[A]."""
    mix = workload("lmsys_like").mix
    share, output = np.array([kind.rate for kind in mix]), np.array([kind.output for kind in mix])
    prompt = mix[0].prompt
    assert output.tolist() == list(range(1, 501))
    assert share @ output == pytest.approx(150.5, abs=0.05)
    assert output[np.searchsorted(np.cumsum(share), 0.5)] == 118
    assert share[:50].sum() == pytest.approx(0.31, abs=0.005)
    assert share[300:].sum() == pytest.approx(0.144, abs=0.005)
    assert prompt == pytest.approx(58.5, abs=0.1)
    assert share @ ((output + 1) * (prompt + output / 2)) == pytest.approx(28_195, rel=1e-3)
    drawn = workload("lmsys_like").draw(100_000, seed=1)
    assert np.median(drawn.prompt) == 22
    assert drawn.prompt.min() == 1
    assert drawn.prompt.max() <= 499
    assert drawn.prompt.mean() == pytest.approx(prompt, rel=0.02)
    assert drawn.output.mean() == pytest.approx(150.5, rel=0.01)
    assert np.corrcoef(drawn.prompt, drawn.output)[0, 1] == pytest.approx(0, abs=0.02)
    assert (output[drawn.kind] == drawn.output).all()


@pytest.mark.parametrize("name", [name for name in workload_names() if name.endswith("_like") and name != "lmsys_like"])
def test_fitted_laws(name):
    """Laws fitted to traces keep the published quartiles within 10 % and bring their own mix."""
    from instances.traces.fitted import published

    facts = published(name)
    drawn = workload(name, 4.0).draw(20_000, seed=3)
    for lengths, quantiles in ((drawn.output, facts.output), (drawn.prompt, facts.prompt)):
        assert np.quantile(lengths, [0.25, 0.5, 0.75]) == pytest.approx(quantiles[4:7], rel=0.1)
    assert sum(kind.rate for kind in drawn.types) == pytest.approx(4.0)
    assert (np.array([kind.output for kind in drawn.types])[drawn.kind] == drawn.output).all()
    if facts.rate is None:
        with pytest.raises(BadParameter, match="no published rate"):
            workload(name)
    else:
        assert workload(name).rate == facts.rate


def test_laws_of_lengths():
    """A table, a sampler, an instance and plain pairs: each draws what it holds and describes itself by output."""
    table = Workload(lengths=Table([5, 7, 9], [2, 2, 4], [1, 3, 4]), rate=8.0)
    assert [tuple(kind) for kind in table.mix] == [(6.5, 2, 4.0), (9.0, 4, 4.0)]
    assert table.largest_prompts.tolist() == [7, 9]
    assert set(zip(*(column.tolist() for column in (table.draw(200).prompt, table.draw(200).output)), strict=True)) == {
        (5, 2),
        (7, 2),
        (9, 4),
    }
    own = Workload(lambda n, rng: (rng.integers(1, 4, n), np.full(n, 6)), rate=2.0)
    assert own.mix[0].prompt == pytest.approx(2.0, abs=0.02)
    assert own.draw(9).types[0].rate == 2.0
    pairs = Workload([(5, 2), (9, 4)], rate=3.0)
    assert [kind.rate for kind in pairs.mix] == [1.5, 1.5]
    again = Workload(lengths=pairs.draw(50), rate=3.0).draw(50)
    assert set(again.output.tolist()) <= {2, 4}
    both = Independent(([3, 5], [1, 1]), ([2, 8], [3, 1]))
    assert [tuple(kind) for kind in Workload(both, 4.0).mix] == [(4.0, 2, 3.0), (4.0, 8, 1.0)]


def test_workloads_travel():
    """Built-in workloads can be sent to another process and draw the same there; another rate keeps the mix."""
    for name in ("mix_512", "lmsys_like", "azure_conv_like"):
        load = workload(name, 2.0)
        sent = pickle.loads(pickle.dumps(load)).draw(50, seed=1)
        here = load.draw(50, seed=1)
        assert (sent.output == here.output).all()
        assert (sent.arrival == here.arrival).all()
        assert load.at(6.0).mix[0].rate == pytest.approx(3 * load.mix[0].rate)


# --- traces ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A small trace with its tenants beside it: one row without output, one out of order, one without prompt."""
    path = tmp_path / "small.csv.gz"
    rows = ["0,10,5", "2,20,6", "1,30,7", "3,40,0", "4,0,8", "10,60,9"]
    path.write_bytes(gzip.compress(("arrival_s,prompt_tokens,output_tokens\n" + "\n".join(rows) + "\n").encode()))
    (tmp_path / "small_tenant.csv").write_text("tenant\na\nb\nc\nb\na\nb\n")
    return path


@pytest.mark.filterwarnings("ignore::instances.traces.TraceWarning")
def test_tenants_stay_with_their_rows(trace):
    """Sorting and dropping rows moves tenants along; the file beside the trace is found by its name."""
    drawn = from_trace(trace)
    assert drawn.arrival.tolist() == [0, 1, 2, 4, 10]
    assert drawn.prompt.tolist() == [10, 30, 20, 1, 60]
    assert drawn.tenant.tolist() == [0, 2, 1, 0, 1]
    assert drawn.info["tenants"] == ("a", "b", "c")
    assert from_trace(trace, tenant=None).tenant.tolist() == [0] * 5
    assert from_trace(trace, tenant=trace.parent / "small_tenant.csv").tenant.tolist() == [0, 2, 1, 0, 1]
    assert from_trace(trace, tenant="prompt_tokens").info["tenants"] == ("10", "20", "30", "40", "0", "60")
    assert from_trace(trace, limit=3).tenant.tolist() == [0, 2, 1]


@pytest.mark.filterwarnings("ignore::instances.traces.TraceWarning")
def test_windows_and_rates(trace):
    """A window keeps its seconds, tenants and a prefix; a rate scales time to (n-1)/span."""
    cut = from_trace(trace, window=(1, 10))
    assert cut.arrival.tolist() == [0, 1, 3]
    assert cut.tenant.tolist() == [2, 1, 0]
    assert from_trace(trace, window=(1, 10), limit=2).prompt.tolist() == [30, 20]
    fast = from_trace(trace, rate=4.0)
    assert fast.arrival == pytest.approx(np.array([0, 1, 2, 4, 10]) / 10)
    assert (fast.n - 1) / fast.last_arrival == pytest.approx(4.0)
    guess = from_trace(trace, prediction_error=0.5, seed=3)
    assert (guess.predicted != guess.output).any()
    assert (np.abs(guess.predicted - guess.output) <= np.ceil(0.5 * guess.output)).all()


def test_dropped_rows_are_told(trace):
    """Rows without output or prompt are counted in one warning."""
    with pytest.warns(TraceWarning, match="1 out of order .*1 with 0 output tokens .*1 with 0 prompt tokens"):
        from_trace(trace)


@pytest.mark.filterwarnings("ignore::instances.traces.TraceWarning")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "rate is 0"),
        ({"rate": -2.0}, "rate is -2.0"),
        ({"window": (5, 5)}, "window is (5, 5)"),
        ({"window": 3}, "window is 3"),
        ({"window": (11, 20)}, "no request in the window 11 to 20 s; the trace lasts 10 s"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": 0, "window": (0, 5)}, "limit is 0"),
        ({"tenant": "who"}, "tenant is 'who': neither a column of small.csv.gz"),
        ({"out_of_order": "keep"}, "out_of_order is 'keep'"),
        ({"prediction_error": 2}, "prediction_error is 2"),
    ],
)
def test_trace_refusals(trace, options, message):
    """Every meaningless option is one line."""
    with pytest.raises(KvratioError) as caught:
        from_trace(trace, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tenants_that_do_not_match(trace):
    """A tenant file with another number of rows, or without the column, is refused."""
    other = trace.parent / "others.csv"
    other.write_text("tenant\na\n")
    with pytest.warns(TraceWarning), pytest.raises(TraceError, match="1 tenants for the 6 rows of small"):
        from_trace(trace, tenant=other)
    other.write_text("user\na\n")
    with pytest.warns(TraceWarning), pytest.raises(TraceError, match="no column 'tenant'"):
        from_trace(trace, tenant=other)


def test_lengths_without_arrivals(tmp_path):
    """A trace of lengths has no times to replay; the message says how to draw them."""
    path = tmp_path / "lengths.csv"
    path.write_text("prompt_tokens,output_tokens\n5,3\n6,4\n")
    with pytest.raises(TraceError, match="lengths without arrivals"):
        from_trace(path)
    assert Workload(lengths=load_trace(path, memory=100), rate=2.0).draw(5).n == 5


def test_real_traces():
    """The shared traces: 27 tenants of the arena, recorded times and lengths as the loader reads them."""
    root = os.environ.get("KVRATIO_TRACES", "")
    if not root:
        pytest.skip("KVRATIO_TRACES is unset: no real traces here")
    arena = from_trace("vtc_arena")
    assert (arena.n, len(np.unique(arena.tenant)), arena.last_arrival) == (1500, 27, 600.0)
    inst = load_trace("vtc_arena", memory=10**6)
    assert (arena.prompt == inst.prompt).all()
    assert arena.arrival == pytest.approx(inst.arrival_seconds)
    part = from_trace("azure_2023_conv", rate=10.0, window=(600, 1200))
    assert (part.n - 1) / part.last_arrival == pytest.approx(10.0)
    assert 0 < part.n < from_trace("azure_2023_conv").n


# --- refusals -------------------------------------------------------------------------------------------------------

BAD = {
    "rate zero": (lambda: arrivals("poisson", 0.0, 5), "rate is 0.0"),
    "rate below": (lambda: arrivals("poisson", -1, 5), "rate is -1"),
    "rate nan": (lambda: arrivals("poisson", math.nan, 5), "rate is nan"),
    "rate none": (lambda: arrivals("poisson", None, 5), "rate is None"),
    "rate text": (lambda: arrivals("poisson", "3", 5), "rate is '3'"),
    "no requests": (lambda: arrivals("poisson", 1.0, 0), "n is 0"),
    "half a request": (lambda: arrivals("poisson", 1.0, 1.5), "n is 1.5"),
    "seed": (lambda: arrivals("poisson", 1.0, 5, -1), "seed is -1"),
    "cv zero": (lambda: arrivals("gamma", 1.0, 5, cv=0.0), "cv is 0.0"),
    "cv missing": (lambda: arrivals("gamma", 1.0, 5), "cv is None with gamma"),
    "cv elsewhere": (lambda: arrivals("poisson", 1.0, 5, cv=1.0), "cv is 1.0 with poisson"),
    "trace missing": (lambda: arrivals("trace", 1.0, 5), "trace is missing"),
    "trace elsewhere": (lambda: arrivals("poisson", 1.0, 5, trace=[1.0]), "trace is given"),
    "trace short": (lambda: arrivals("trace", None, 5, trace=[1.0, 2.0]), "n is 5, but the trace has 2"),
    "trace at once": (lambda: arrivals("trace", 1.0, 2, trace=[1.0, 1.0]), "all equal"),
    "trace unsorted": (lambda: arrivals("trace", None, 3, trace=[3.0, 1.0, 2.0]), "time 1 is 1, before 3: sort"),
    "trace negative": (lambda: arrivals("trace", None, 2, trace=[-3.0, 1.0]), "time 0 is -3: give seconds >= 0"),
    "trace text": (lambda: arrivals("trace", 1.0, 2, trace=["a", "b"]), "not a list of seconds"),
    "kind": (lambda: arrivals("poison", 1.0, 5), "did you mean 'poisson'?"),
    "workload": (lambda: workload("p512d2O"), "did you mean 'p512d20'?"),
    "no types": (lambda: Workload([]), "types is empty"),
    "neither": (lambda: Workload(), "give either types"),
    "both": (lambda: Workload([(1, 1, 1)], lengths=Table([1], [1])), "give either types"),
    "type rate": (lambda: Workload([(1, 1, 0)]), "rate of type 0 is 0"),
    "type prompt": (lambda: Workload([(1, 1, 1), (0, 1, 1)]), "type 1 has prompt 0"),
    "type output": (lambda: Workload([(1, 1.5, 1)]), "type 0 has output 1.5"),
    "pairs alone": (lambda: Workload([(1, 1)]), "or (prompt, output) and a rate"),
    "lengths alone": (lambda: Workload(lengths=Table([1], [1])), "Workload: rate is None"),
    "workload rate": (lambda: workload("p512d20", -3), "Workload: rate is -3"),
    "draw rate": (lambda: workload("p512d20").draw(5, rate=0), "rate is 0"),
    "draw n": (lambda: workload("p512d20").draw(0), "n is 0"),
    "backlog": (lambda: workload("p512d20").draw(5, backlog=-1), "backlog is -1"),
    "error": (lambda: workload("p512d20").draw(5, prediction_error=1.5), "prediction_error is 1.5"),
    "table": (lambda: Table([1, 2], [1]), "2 prompts, 1 outputs"),
    "weight": (lambda: Table([1], [1], [0.0]), "a weight is not above 0"),
    "sampler": (lambda: Workload(lambda n, rng: ([1], [1]), 1.0).draw(3), "asked for 3 requests, the sampler gave 1"),
    "sampler zero": (lambda: Workload(lambda n, rng: ([0] * n, [1] * n), 1.0).draw(3), "prompt 0 is 0"),
    "swing": (lambda: Sinusoid(1.0, 1.5, 10), "swing is 1.5"),
    "pieces": (lambda: PiecewiseRate([0, 5], [1.0]), "2 starts and 1 rates"),
    "pieces start": (lambda: PiecewiseRate([1, 5], [1.0, 2.0]), "the first 0"),
    "pieces end": (lambda: PiecewiseRate([0, 5], [1.0, 0.0]), "the last rate is 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals(case):
    """Every meaningless input is one clear line of a kvratio error."""
    call, message = BAD[case]
    with pytest.raises((BadParameter, UnknownName)) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
