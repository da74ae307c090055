"""Sweeps of the serving model: same draws for all, intervals over replications, the same tuning budget."""

import numpy as np
import pandas as pd
import pytest

from instances.workloads import Workload
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.fitting import FitWarning
from kvratio.problem.requests import Requests
from kvratio.suite import plots
from kvratio.suite.serving.contender import contender, contenders, split
from kvratio.suite.serving.figures import gap_figure, rate_figure
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.rates import parse_rates
from kvratio.suite.serving.save import save_sweep
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.serving.sweep import default_rates, sweep
from kvratio.suite.serving.trial import CUT, Cell, Measuring
from kvratio.suite.serving.tuning import MOST, best, candidates, distinct

SMALL = Hardware(Clock(0.01, 1e-5, 1e-4), 900)
MIX = Workload([(20, 5, 2.0), (20, 12, 1.0)], name="small mix")


@pytest.fixture(scope="module")
def found():
    """Return a small sweep with tuning."""
    return sweep(
        MIX, "vllm,wait", [4.0, 8.0], SMALL, replications=3, requests=400, tuning=3, workers=1,
        measuring=Measuring(cooldown=0.4, ttft_target=0.5),
    )  # fmt: skip


def test_rows_are_complete(found):
    """There is a cell for every policy, setting, rate and replication, and a row of the table for every three."""
    assert len(found.cells) == 2 * 2 * 2 * 3
    assert len(found.table) == 2 * 2 * 2
    assert (found.table["status"] == "ok").all()
    assert set(found.table["setting"]) == {"default", "tuned"}


def test_means_and_intervals_are_those_of_the_cells(found):
    """The table holds mean and Student interval over replications, nothing else."""
    row = found.table[(found.table["policy"] == "wait") & (found.table["setting"] == "default")].iloc[1]
    cells = found.cells
    mine = cells[(cells["policy"] == "wait") & (cells["setting"] == "default") & (cells["rate"] == row["rate"])]
    assert (row["latency_mean"], row["latency_mean_half"]) == mean_and_half_width(mine["latency_mean"].tolist())
    assert row["goodput"] <= row["request_rate"]


def test_differences_are_paired(found):
    """Paired differences are taken draw by draw, not of the means' intervals."""
    pair = found.paired
    row = pair[(pair["metric"] == "latency_mean") & (pair["setting"] == "default") & (pair["rate"] == 8.0)].iloc[0]
    cells = found.cells[(found.cells["setting"] == "default") & (found.cells["rate"] == 8.0)]
    first, second = (
        cells[cells["policy"] == label].sort_values("replication")["latency_mean"].to_numpy()
        for label in ("vllm", "wait")
    )
    assert (row["difference"], row["half"]) == mean_and_half_width(first - second)


def test_too_few_replications_get_no_verdict(found):
    """Three replications are not judged; ten are."""
    assert set(found.table["verdict"]) == {"too few replications"}
    ten = sweep(MIX, "vllm", [4.0], SMALL, replications=10, requests=150, workers=1)
    assert ten.table["verdict"].item() in ("stable", "undecided", "unstable")


def test_any_number_of_workers_gives_the_same_bytes(found):
    """Two processes give what one gives, digit for digit."""
    again = sweep(
        MIX, "vllm,wait", [4.0, 8.0], SMALL, replications=3, requests=400, tuning=3, workers=2,
        measuring=Measuring(cooldown=0.4, ttft_target=0.5),
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.cells, again.cells, check_exact=True)
    pd.testing.assert_frame_equal(found.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(found.paired, again.paired, check_exact=True)


def test_all_rates_see_the_same_draws():
    """Another rate only stretches time."""
    load = open_load(MIX)
    slow, fast = load.draw(2.0, 50, 0, 1), load.draw(4.0, 50, 0, 1)
    assert (slow.output == fast.output).all()
    np.testing.assert_allclose(slow.arrival, 2 * fast.arrival, rtol=1e-12)
    assert not (load.draw(2.0, 50, 0, 2).arrival == slow.arrival).all()


def test_wait_without_thresholds_is_a_row_that_says_so():
    """A rate beyond any thresholds is not an error of the sweep."""
    found = sweep(MIX, "wait,vllm", [4.0, 300.0], SMALL, replications=2, requests=80, workers=1)
    row = found.table[(found.table["policy"] == "wait") & (found.table["rate"] == 300.0)].iloc[0]
    assert row["status"] == row["verdict"] == "no thresholds"
    assert np.isnan(row["latency_mean"])
    assert "no integer thresholds" in row["note"]


def test_a_cool_down_too_short_for_wait_is_refused_with_the_n_needed():
    """Requests that only the flush completes are never measured in silence."""
    found = sweep(Workload([(5, 30, 1.0)]), "wait", [2.0], SMALL, replications=2, requests=100, workers=1)
    assert found.table["status"].item() == "refused"
    assert "take n at least" in found.table["note"].item()


def test_a_failed_cell_does_not_stop_the_others():
    """A policy that cannot serve a draw is one failed row with its message."""
    found = sweep(MIX, ["vllm", "orca:max_tokens=6"], [4.0], SMALL, replications=2, requests=80, workers=1)
    assert found.table["status"].tolist() == ["ok", "failed"]
    assert "max_tokens" in found.table["note"].iloc[1]
    with pytest.raises(BadParameter, match="ttft_target is -1"):
        sweep(MIX, "vllm", [4.0], SMALL, replications=2, requests=80, workers=1, measuring=Measuring(ttft_target=-1))


# -- tuning -------------------------------------------------------------------------------------------------------
def test_every_policy_gets_the_same_number_of_candidates():
    """The budget does not depend on the policy, and what a caller fixed stays fixed."""
    load = open_load("p512d20")
    hardware = Hardware.preset()
    for name in ("vllm", "sarathi", "wait", "nested_wait", "wait_capped", "lightllm", "orca", "mc_sf", "srpt"):
        found = candidates(contender(name), MOST, load, 20.0, hardware)
        assert len(distinct(found)) == MOST
        assert found[0] == contender(name)
    fixed = candidates(contender("vllm:max_batch=7"), MOST, load, 20.0, hardware)
    assert {policy.parameters["max_batch"] for policy in fixed} == {7}
    with pytest.raises(BadParameter, match="tuning is 9"):
        candidates(contender("vllm"), 9, load, 20.0, hardware)


def test_the_best_candidate_completes_most_and_is_fastest():
    """Completion comes first, then mean latency; what cannot be measured is never chosen over what can."""

    def cell(done: float, latency: float) -> Cell:
        return Cell("ok", metrics={"completion_rate": done, "latency_mean": latency})

    assert best([[cell(1.0, 2.0)], [cell(1.0, 1.0)], [cell(0.9, 0.1)]]) == 1
    assert best([[Cell("no thresholds")], [cell(0.2, 9.0)]]) == 1
    assert best([[Cell("refused")], [Cell("refused")]]) == 0


def test_tuning_uses_draws_of_its_own(found):
    """The default runs on the same draws with and without tuning."""
    plain = sweep(
        MIX, "vllm,wait", [4.0, 8.0], SMALL, replications=3, requests=400, workers=1,
        measuring=Measuring(cooldown=0.4, ttft_target=0.5),
    )  # fmt: skip
    default = found.cells[found.cells["setting"] == "default"].reset_index(drop=True)
    pd.testing.assert_frame_equal(default, plain.cells, check_exact=True)


# -- loads and words ----------------------------------------------------------------------------------------------
def test_replayed_windows_are_disjoint_and_scaled():
    """Replication k takes the k-th window; only its time axis is scaled to the rate."""
    trace = Requests(np.arange(1, 61), np.arange(1, 61), np.arange(60.0) ** 1.5, name="trace")
    load = open_load(trace)
    assert load.replayed
    second = load.draw(5.0, 20, 0, 1)
    assert second.prompt.tolist() == list(range(21, 41))
    assert (len(second) - 1) / second.last_arrival == pytest.approx(5.0)
    with pytest.raises(BadParameter, match="window 4"):
        load.draw(5.0, 20, 0, 3)
    assert load.draw(5.0, 20, 0, 0, backlog=7).arrival[:8].tolist() == [0.0] * 8


def test_a_rate_that_swings_keeps_its_mean_and_its_draws():
    """Time is stretched and pressed, lengths stay; whole periods hold as many requests as without a swing."""
    calm, swung = open_load(MIX), open_load(MIX, swing=0.8, period=50.0)
    first, second = calm.draw(4.0, 4000, 0, 0), swung.draw(4.0, 4000, 0, 0)
    assert (first.output == second.output).all()
    assert second.last_arrival == pytest.approx(first.last_arrival, rel=0.02)
    phase = (second.arrival % 50.0) / 50.0
    assert (phase < 0.5).mean() == pytest.approx(0.5 + 0.8 / np.pi, abs=0.03)


def test_the_fluid_limit_counts_refused_requests_as_arrivals():
    """A type that never fits costs nothing, so the whole mix may arrive that much faster."""
    fits = open_load(Workload([(20, 5, 1.0)])).fluid_limit(SMALL)
    both = open_load(Workload([(20, 5, 1.0), (2000, 5, 1.0)])).fluid_limit(SMALL)
    assert both == pytest.approx(2 * fits)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("vllm,wait", ["vllm", "wait"]),
        ("wait:margin=0.1,flush=false,sarathi", ["wait:margin=0.1,flush=false", "sarathi"]),
        ("nested_wait:cuts=[20,50],fcfs", ["nested_wait:cuts=[20,50]", "fcfs"]),
    ],
)
def test_lists_of_policies_are_split_between_policies_only(text, parts):
    """Commas inside parameters do not end a policy."""
    assert split(text) == parts
    assert [policy.label for policy in contenders(text)] == parts


def test_rates_are_lists_or_grids():
    """Both ways of writing rates mean what they say."""
    assert parse_rates("10,20") == (10.0, 20.0)
    assert parse_rates("5:25:3") == (5.0, 15.0, 25.0)
    assert len(default_rates(26.4)) == 12


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: parse_rates("5:x:3"), "first:last:count"),
        (lambda: parse_rates("9:5:3"), "first < last"),
        (lambda: contenders("vllm,vllm"), "named twice"),
        (lambda: contenders(""), "no policy"),
        (lambda: contender("vllm:max_bach=3"), "max_bach"),
        (lambda: open_load("p512d2"), "p512d20"),
        (lambda: Hardware.preset("h900"), "a100-llama2-7b"),
        (lambda: Hardware(Clock(1.0, 0.0), 0), "memory is 0"),
        (lambda: Load("x", MIX, kind="weibull"), "weibull"),
        (lambda: Load("x", MIX, kind="replay"), "only a trace"),
        (lambda: Load("x", MIX, swing=1.5), "swing"),
        (lambda: sweep(MIX, "vllm", [0.0], SMALL), "rate is 0"),
        (lambda: sweep(MIX, "vllm", [3.0, 3.0], SMALL), "given twice"),
        (lambda: sweep(MIX, "vllm", [], SMALL), "rates is empty"),
        (lambda: sweep(MIX, "vllm", [3.0], SMALL, replications=0), "replications is 0"),
    ],
)
def test_bad_words_are_one_line(call, told):
    """What is wrong is named, with what to do, before anything runs."""
    with pytest.raises((BadParameter, UnknownName)) as fault:
        call()
    assert told in str(fault.value)
    assert "\n" not in str(fault.value)


def test_every_run_is_cut_at_one_and_a_half_times_the_last_arrival():
    """Overload leaves requests unfinished, and the table says that means are lower bounds."""
    found = sweep(Workload([(20, 5, 1.0)]), "fcfs:max_batch=1", [400.0], SMALL, replications=2, requests=100, workers=1)
    assert CUT == 1.5
    assert found.table["completion_rate"].item() < 1
    assert found.table["lower_bound"].item()


# -- files --------------------------------------------------------------------------------------------------------
def test_figures_are_labelled(found):
    """Axes say what they show, with units."""
    figure = rate_figure(found.table, ("latency_mean", "effective_throughput"), "small mix", found.fluid_limit)
    labels = [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]
    assert labels == [
        ("arrival rate (requests/s)", "mean latency (s)"),
        ("arrival rate (requests/s)", "effective throughput (tokens/s)"),
    ]
    assert figure.axes[0].get_title(loc="left") == "small mix"
    with pytest.raises(BadParameter, match="no metric 'speed'"):
        rate_figure(found.table, "speed")
    gap = pd.DataFrame({"policy": ["a", "a"], "scale": [1.0, 2.0], "gap": [1.0, 0.7], "gap_half": [0.1, 0.1]})
    assert gap_figure(gap).axes[0].get_xlabel() == "scale z"


def test_a_sweep_is_saved_whole(found, tmp_path, monkeypatch):
    """Tables come back equal from Parquet, figures exist as PDF and SVG."""
    monkeypatch.setattr(plots, "FORMATS", ("pdf", "svg"))
    written = {path.name for path in save_sweep(found, tmp_path)}
    assert {"cells.csv", "table.parquet", "paired.csv", "latency.pdf", "latency.svg", "sweep.json"} <= written
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), found.table)


def test_a_fitted_clock_is_warned_about_once():
    """A sweep on a clock fitted to small batches says in one line that times are extrapolated; so does a search."""
    grid = [(K, P) for K in (100, 200, 400, 600, 800, 1000) for P in (0, 16, 32, 64, 128)]
    clock = Clock.fit([(K, P, 0.0106 + 4.01e-7 * K + 6.4e-5 * P) for K, P in grid])
    with pytest.warns(FitWarning, match="times are extrapolated") as caught:
        found = sweep("p512d20", "vllm,fcfs", [5, 10], Hardware(clock, 137_000), replications=2, requests=60, workers=1)
    assert len(caught) == 1
    assert found.table["tbt_p99"].notna().all()


def test_thresholds_that_cannot_fit_are_refused():
    """M(n) above C is named before anything runs."""
    for policy in ("wait:thresholds=40", "nested_wait:cuts=[20],thresholds=[40]"):
        with pytest.raises(BadParameter, match="do not fit: M\\(n\\) <= C: 438480 against 137000 tokens"):
            sweep("p512d20", policy, [5], replications=1, requests=60, workers=1)
