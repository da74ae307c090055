"""Figures: written in three formats, the same twice, and never on the caller's settings."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from made_up import cells, two_by_two

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import ATTEMPT_DTYPE, Schedule
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
