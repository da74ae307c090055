"""Figures: written in three formats, the same twice, and never on the caller's settings."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from made_up import cells, two_by_two

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import ATTEMPT_DTYPE, Schedule
from kvratio.suite.curves import against_figure, profile_figure
from kvratio.suite.gantt import gantt_figure
from kvratio.suite.plots import memory_figure, ratio_figure, save_figure
from kvratio.suite.statistics import summarise


def _killed_once():
    inst = Instance(prompt=[2, 1], output=[3, 2], memory=6, name="pair")
    rows = np.array([(0, 0, 3, True), (1, 0, 1, False), (1, 3, 5, True)], dtype=ATTEMPT_DTYPE)
    return Schedule.from_attempts(inst, rows, policy="someone")


def test_ratios_are_drawn_into_three_formats(tmp_path):
    """PDF, SVG and PNG lie beside each other; the SVG keeps policy names as text."""
    _, table = two_by_two()
    paths = save_figure(ratio_figure(summarise(table), "made up"), tmp_path / "figures" / "ratios")
    assert [path.suffix for path in paths] == [".pdf", ".svg", ".png"]
    assert all(path.stat().st_size > 1000 for path in paths)
    assert "gsa:alpha=2" in paths[1].read_text()


def test_figures_are_the_same_twice(tmp_path):
    """Neither dates nor random ids enter the SVG."""
    one = save_figure(memory_figure(_killed_once()), tmp_path / "one")
    two = save_figure(memory_figure(_killed_once()), tmp_path / "two")
    assert one[1].read_bytes() == two[1].read_bytes()


def test_a_name_with_a_dot_keeps_it(tmp_path):
    """The stem of a figure is not cut at a dot."""
    assert save_figure(memory_figure(_killed_once()), tmp_path / "alpha=1.5")[0].name == "alpha=1.5.pdf"


def test_settings_of_the_caller_stay():
    """The house style is used inside only."""
    before = matplotlib.rcParams["axes.spines.top"]
    memory_figure(_killed_once())
    assert matplotlib.rcParams["axes.spines.top"] == before


def test_the_memory_curve_ends_at_the_makespan_and_shows_evictions():
    """Memory, budget and evictions are drawn over the rounds of the schedule."""
    schedule = _killed_once()
    top, bottom = memory_figure(schedule).axes
    assert top.get_xlim() == (0, schedule.makespan)
    assert "1 evictions" in [text.get_text() for text in top.get_legend().get_texts()]
    assert bottom.get_legend() is not None


def test_nothing_to_draw_is_told():
    """All cells failed: one clear line."""
    with pytest.raises(BadParameter, match="nothing to draw"):
        ratio_figure(summarise(cells([{"status": "failed"}])), "none")


def _grid():
    """Return two policies on three sizes, one with an open interval, and one cell that failed."""
    rows = [
        {"policy": name, "policy_id": name, "n": n, "instance": f"i{n}", "cost": cost * n, "lower": n, "upper": n + 1}
        for n in (10, 20, 40)
        for name, cost in (("fcfs", 3), ("svf", 2))
    ]
    rows[-1] |= {"status": "failed", "cost": None}
    return cells(rows)


def test_the_profile_has_a_line_a_policy_and_ends_below_one_where_cells_failed():
    """The svf line stops at 2/3: one of its three cells failed."""
    lines = {line.get_label(): line.get_ydata()[-1] for line in profile_figure(_grid(), "made up").axes[0].lines}
    assert lines == pytest.approx({"fcfs": 1.0, "svf": 2 / 3})


def test_ratio_against_n_draws_the_upper_end_and_the_band():
    """Points stand at the sizes; the line is cost / L, and the band reaches down to cost / U."""
    ax = against_figure(_grid(), "n", "made up").axes[0]
    fcfs = next(line for line in ax.lines if line.get_label() == "fcfs")
    assert fcfs.get_xdata() == pytest.approx([10, 20, 40])
    assert fcfs.get_ydata() == pytest.approx([3.0, 3.0, 3.0])
    lowest = min(vertex[1] for vertex in ax.collections[0].get_paths()[0].vertices)
    assert lowest == pytest.approx(30 / 11)


def test_ratio_against_one_value_is_told():
    """A single size is no curve."""
    with pytest.raises(BadParameter, match="memory: a figure needs two different numbers"):
        against_figure(_grid(), "memory")


def test_the_gantt_chart_has_a_bar_an_attempt_and_fills_what_is_held():
    """Two completed attempts and a killed one, hatched; the stack of round 1 is 3 + 2 = 5 of 6."""
    top, bottom = gantt_figure(_killed_once()).axes
    bars = [patch for patch in top.patches if hasattr(patch, "get_width")]
    assert sorted((bar.get_x(), bar.get_width(), bool(bar.get_hatch())) for bar in bars) == [
        (0, 1, True),
        (0, 3, False),
        (3, 2, False),
    ]
    highest = max(path.vertices[:, 1].max() for collection in bottom.collections for path in collection.get_paths())
    assert highest == 5
    assert [text.get_text() for text in top.get_yticklabels()] == ["0 (2+3)", "1 (1+2)"]


def test_a_schedule_too_large_for_a_chart_is_told():
    """The message names the limits and the figure to take."""
    inst = Instance(prompt=[1] * 301, output=[1] * 301, memory=10**6)
    with pytest.raises(BadParameter, match="300 requests"):
        gantt_figure(Schedule.from_starts(inst, np.zeros(301, dtype=np.int64)))
