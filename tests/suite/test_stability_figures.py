"""Figures of congestion: what they hold, the same bytes twice, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from kvratio.cli import app
from kvratio.problem.errors import BadParameter
from kvratio.suite.stability.mix import mix_of_classes, mix_of_columns
from kvratio.suite.stability_figures.gallery import Picture, docs_pictures, draw_all, workload_pictures
from kvratio.suite.stability_figures.history import history, near_equilibrium
from kvratio.suite.stability_figures.hysteresis import STARTS, Server, hysteresis_figure, serve
from kvratio.suite.stability_figures.maps import excess, maps_figure
from kvratio.suite.stability_figures.rings import Workload, phases_of, rings_figure
from kvratio.suite.stability_figures.root_plane import GROWS, roots_figure
from kvratio.suite.stability_figures.saving import save_as
from kvratio.suite.stability_figures.series import running_mean, series_figure
from kvratio.suite.stability_figures.stage_map import Run, stage_map_figure
from kvratio.suite.stability_figures.triangle import triangle_figure
from kvratio.suite.stability_figures.workload import workload_figure
from stability.congestion import equilibrium_rate, pulse_rate, simulate, stage_weights, unstable_modes, worst_rate

SMALL = Server(prompt=4, decode=8, memory=200, steps=400, backlog=100)


# -- what is drawn ------------------------------------------------------------------------------------------------
def test_the_start_is_full_and_near_x_star():
    """Noise moves stages by its share at most, before the start is scaled to fill memory."""
    start = near_equilibrium(10, 40, 2000, noise=0.01, seed=3)
    best = equilibrium_rate(10, 40, 2000)
    assert stage_weights(10, 40) @ start == pytest.approx(2000)
    assert np.abs(start / best - 1).max() < 0.021
    assert np.ptp(start) > 0


def test_history_is_the_run_of_the_model(monkeypatch):
    """A history made in short stretches is that of one run, and demand closes the books of memory."""
    monkeypatch.setattr("kvratio.suite.stability_figures.history.CELLS", 7 * 3)
    start = [2.5, 2, 1.7]
    found, run = history(2, 3, 24, 30, start=start), simulate(2, 3, 24, 30, start=start)
    for name in ("admitted", "completed", "evicted"):
        np.testing.assert_allclose(getattr(found, name), getattr(run, name)[1:])
    assert ((found.demand > 24 + 1e-9) == (found.evicted > 0)).all()
    np.testing.assert_allclose(found.demand + 3 * found.admitted, np.maximum(found.demand, 24))


def test_series_shows_both_rates_and_the_three_stretches():
    """x* and T_worst are lines of the completions; a run that collapses has its stretches named."""
    figure = series_figure(10, 40, 2000, 400)
    top, _, bottom = figure.axes
    labels = [text.get_text() for text in bottom.get_legend().get_texts()]
    best, worst = equilibrium_rate(10, 40, 2000), worst_rate(10, 40, 2000)
    assert labels == ["completed", f"x* = {best:.4g}", f"T_worst = {worst:.4g}"]
    assert [text.get_text() for text in top.texts] == ["spiral", "cascade", "worst cycle"]
    mean = bottom.lines[0].get_ydata()
    assert mean[50] == pytest.approx(best, rel=0.01)
    assert mean[-1] == pytest.approx(worst)


def test_a_stable_run_is_not_called_a_spiral():
    """Without evictions there is one stretch, and it says so."""
    top = series_figure(40, [4, 7], 600, 200).axes[0]
    assert [text.get_text() for text in top.texts] == ["no evictions"]


def test_running_mean():
    """The mean looks back; where too little has happened there is none."""
    assert running_mean(np.array([1.0, 2.0, 3.0, 4.0]), 2).tolist()[1:] == [1.5, 2.5, 3.5]
    assert np.isnan(running_mean(np.ones(3), 5)).all()


def test_rings_show_the_pulse_cycle():
    """{4, 8} settles on pulses four stages apart, whose completions are T_pulse."""
    found = phases_of(Workload(40, [4, 8], 600))
    assert found.period == 4
    assert found.completed.mean() == pytest.approx(pulse_rate(40, [4, 8], 600))
    assert ((found.states > 1e-9).sum(axis=1) == 2).all()
    assert found.admitted.argmax() == 0


def test_rings_without_a_cycle_say_so(monkeypatch):
    """A run that has not settled is shown as it is, and named so."""
    monkeypatch.setattr("kvratio.suite.stability_figures.rings.find_cycle", lambda *_, **__: None)
    figure = rings_figure([Workload(10, 40, 2000)])
    assert "no cycle found" in figure.axes[0].get_title(loc="left")


def test_roots_that_grow_are_triangles():
    """As many triangles as unstable modes, and ticks at the roots of unity other than 1."""
    figure = roots_figure([[6, 9]], [5, 500])
    for ax, prompt in zip(figure.axes, (5, 500), strict=True):
        triangles = [line for line in ax.lines if line.get_marker() == "^"]
        assert [len(line.get_xdata()) for line in triangles] == [unstable_modes(prompt, [6, 9])]
        assert triangles[0].get_color() == GROWS
        assert sum(len(line.get_xdata()) == 2 for line in ax.lines if line.get_marker() == "None") == 2


def test_excess_is_symmetric_and_knows_divisors():
    """Pairs with a common divisor are unstable, short coprime pairs at a long input are not."""
    over = excess(512, 8, 0.5)
    assert (over == over.T).all()
    assert over[5, 3] > 0
    assert over[6, 3] < 0
    assert over[0, 0] == -1


def test_the_lines_of_the_loss_lie_where_the_loss_is():
    """On the middle of a contour of the second map (l1 - 1) / (2 (l0 + l1)) is its level."""
    from kvratio.suite.stability_figures.maps import LOSSES

    figure = maps_figure(prompt=512, longest=3, reach=64)
    lines = next(c for c in figure.axes[1].collections if hasattr(c, "levels") and tuple(c.levels) == LOSSES)
    for level, path in zip(LOSSES, lines.get_paths(), strict=True):
        prompt, decode = path.vertices[len(path.vertices) // 2]
        assert (decode - 1) / (2 * (prompt + decode)) == pytest.approx(level, abs=2e-3)


def test_hysteresis_has_every_start_and_both_bands():
    """Rates are over T_worst; each start has a row for each rate and a column for each seed; intervals are drawn."""
    found = serve(SMALL, (0.5, 1.5), seeds=2)
    assert found.rates == (0.5 * SMALL.worst, 1.5 * SMALL.worst)
    assert [row.shape for row in found.throughput] == [(2, 2)] * len(STARTS)
    left, right = hysteresis_figure(found).axes
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert {"metastable under restart", "restart, from empty", "swap, 100 queued"} <= set(names)
    assert len(left.containers) == len(STARTS)
    assert len(right.lines) == 4


def test_buckets_are_judged_one_by_one():
    """{6, 10, 9, 15} pooled is stable, each length alone is not: one bar below 1 and four above."""
    bars = workload_figure(mix_of_classes(["30:6", "30:10", "30:9", "30:15"])).axes[2].patches
    assert [bar.get_width() > 0 for bar in bars] == [False, True, True, True, True]


# -- files --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_the_same_bytes_twice(tmp_path, ending):
    """Equal figures are equal files; the caption with model, parameters and seed stands in figure and metadata."""
    runs = [Run("one", 2, 3, 24, steps=30), Run("two", 40, [4, 8], 600, steps=30)]
    pictures = [
        Picture("series", lambda: series_figure(2, 3, 24, 40, seed=5)),
        Picture("stages", lambda: stage_map_figure(runs)),
    ]
    for folder in ("one", "two"):
        assert len(list(draw_all(pictures, tmp_path / folder, [ending]))) == 2
    for picture in pictures:
        name = f"{picture.name}.{ending}"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    if ending == "svg":
        text = (tmp_path / "one" / "series.svg").read_text()
        assert text.count("l0 = 2, l1 = 3, M = 24") == 2
        assert "seed 5" in text.partition("</metadata>")[0].replace("(seed\n", "(seed ")


def test_a_figure_without_a_caption_has_no_description(tmp_path):
    """Metadata tells the caption only where there is one."""
    figure = triangle_figure(2, 24, [2.5, 2, 1.7])
    figure.set_label("")
    assert "dc:description" not in save_as(figure, tmp_path / "plain.svg").read_text()


def test_the_docs_have_every_picture():
    """Each figure of the page is drawn by the command, and none is drawn for nothing."""
    from pathlib import Path

    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "congestion.md").read_text()
    for picture in docs_pictures():
        assert f"figures/{picture.name}.svg" in text
        assert (docs / "figures" / f"{picture.name}.svg").stat().st_size < 300_000
    assert text.count("](figures/") == len(docs_pictures())


def test_command_draws_a_workload(tmp_path):
    """--pictures beside a workload draws it and keeps the exit code of the verdict."""
    arguments = ["stability", "--class", "2:3", "--memory", "24", "--steps", "100", "--formats", "svg", "--quiet"]
    result = CliRunner().invoke(app, [*arguments, "--pictures", str(tmp_path)])
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rings.svg", "roots.svg", "series.svg", "stages.svg", "workload.svg",
    ]  # fmt: skip


# -- degenerate input ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "mix",
    [mix_of_columns([0], [1], None), mix_of_columns([7, 9], [2, 1], [1.0, 0.0])],
    ids=["one stage", "share 0"],
)
def test_degenerate_workloads_are_drawn(mix, tmp_path):
    """One class, one stage without a prompt, and a share of 0 give all figures that there are."""
    pictures, left_out = workload_pictures(mix, 50)
    written = [path for paths in draw_all(pictures, tmp_path, ["svg"]) for path in paths]
    assert len(written) == 5
    assert left_out == []


def test_pictures_too_large_are_left_out_aloud():
    """Nothing is dropped without a word: rings of many stages and roots of very many are named."""
    _, left_out = workload_pictures(mix_of_columns([5], [2001], None), 1e6)
    assert [line.partition(" ")[0] for line in left_out] == ["roots", "rings"]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    """One line each: no workloads, no roots, no runs, one seed, an empty start, a wrong ending."""
    with pytest.raises(BadParameter, match="no workloads"):
        rings_figure([])
    with pytest.raises(BadParameter, match="no roots"):
        roots_figure([], [5])
    with pytest.raises(BadParameter, match="no runs"):
        stage_map_figure([])
    with pytest.raises(BadParameter, match="too many cells"):
        stage_map_figure([Run("", 2, 3, 24, steps=1 << 24)])
    with pytest.raises(BadParameter, match="two seeds"):
        serve(SMALL, (0.5,), seeds=1)
    with pytest.raises(BadParameter, match="start holds no memory"):
        triangle_figure(2, 24, [0, 0, 0], steps=0)
    with pytest.raises(BadParameter, match="steps is 0"):
        history(2, 3, 24, 0)
    with pytest.raises(BadParameter, match="noise is"):
        near_equilibrium(2, 3, 24, noise=1.0)
    with pytest.raises(BadParameter, match="format 'gif'"):
        list(draw_all([], tmp_path, ["gif"]))
