"""Calibration recovers what was planted, says where the line fails, and writes a clock that others read."""

import numpy as np
import pytest

from gpu_validate.calibrate import LARGE, SMALL, Cell, Grid, Planted, calibrate, summary
from gpu_validate.results import plain
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.presets import Preset, find_preset

D0, D1, D2 = 9.0e-3, 3.0e-7, 6.0e-5


def line(cell):
    """A straight law."""
    return D0 + D1 * cell.cached + D2 * cell.prompt


@pytest.mark.parametrize("grid", [LARGE, SMALL])
def test_planted_constants_come_back(grid):
    """Without noise the planted constants are found to rounding, and there is nothing to remark."""
    found = calibrate(grid.cells(98304), Planted(line))
    assert (found.clock.d0, found.clock.d1, found.clock.d2) == pytest.approx((D0, D1, D2), rel=1e-9)
    assert np.abs(found.residuals).max() < 1e-9
    assert found.remarks == ()


def test_intervals_cover_planted_constants():
    """With 2% noise the 95% intervals contain the constants in most of 60 draws, and are not wide."""
    hits = np.zeros(3)
    for seed in range(60):
        found = calibrate(LARGE.cells(98304), Planted(line, noise=0.02, seed=seed))
        ends = [found.intervals[name] for name in ("d0", "d1", "d2")]
        hits += [low <= value <= high for (low, high), value in zip(ends, (D0, D1, D2), strict=True)]
        assert ends[0][1] - ends[0][0] < 0.1 * D0
    assert (hits >= 50).all()


def test_a_bend_is_told():
    """Weights that cover the first prompt tokens, as on a real device, are named with their size and side."""

    def roofline(cell):
        return max(D0, 2e-3 + 3e-5 * (cell.prompt + cell.batch)) + D1 * cell.cached

    remarks = calibrate(LARGE.cells(98304), Planted(roofline)).remarks
    assert any("prompt tokens take" in line and "than the line says" in line for line in remarks)
    assert any("the largest departure" in line for line in remarks)


def test_cells_of_a_grid():
    """K counts the new token of a prompt, as the replay's rounds do; cells beyond the memory are left out."""
    cell = Cell(4, 100, 2, 50)
    assert (cell.cached, cell.prompt) == (4 * 100 + 2 * 51, 100)
    assert all(cell.room.memory <= 4096 for cell in LARGE.cells(4096))
    assert len(LARGE.cells(98304)) > len(LARGE.cells(4096))
    with pytest.raises(BadParameter, match="no cell of the calibration fits 2 tokens"):
        Grid((1,), (8,), ()).cells(2)


def test_too_few_cells_are_refused():
    """The fit says how many cells it needs."""
    with pytest.raises(BadParameter, match="distinct cells"):
        calibrate(SMALL.cells(4096)[:5], Planted(line))


def test_clock_file(tmp_path):
    """A fitted clock is read back by its path, with its range, wherever a preset's name is taken."""
    fitted = calibrate(LARGE.cells(98304), Planted(line, noise=0.01)).clock
    path = str(Preset("mine", fitted, 4096, "planted").save(tmp_path / "mine.json"))
    assert Clock.preset(path) == fitted
    assert find_preset(path).memory == 4096
    assert find_preset(path).clock.report == fitted.report
    from kvratio.suite.serving.hardware import Hardware
    from stability.capacity import capacity

    assert Hardware.preset(path).clock == fitted
    assert Hardware.preset(path, memory=77).memory == 77
    given = capacity(([100], [50]), 4096, iteration_model=path)
    assert given.mu == capacity(([100], [50]), 4096, iteration_model=fitted).mu


def test_roofline_clock_file(tmp_path):
    """The other form of clock goes to a file and back too."""
    known = find_preset("a100-llama2-7b-roofline")
    assert Preset.load(known.save(tmp_path / "r.json")) == known


def test_a_clock_file_knows_what_was_measured(tmp_path):
    """Loads beyond the measured range are told from the file too."""
    fitted = calibrate(SMALL.cells(300), Planted(line)).clock
    path = str(Preset("small", fitted, 10**6, "planted").save(tmp_path / "small.json"))
    assert find_preset(path).clock.report.outside(300, 10) == []
    assert len(find_preset(path).clock.report.outside(5000, 5000)) == 2


def test_bad_clock_files(tmp_path):
    """A missing file and a file of something else are told in one line."""
    with pytest.raises(UnknownName, match="there is no such clock file"):
        find_preset(str(tmp_path / "none.json"))
    (tmp_path / "other.json").write_text('{"kind": "schedule"}')
    with pytest.raises(BadParameter, match="is not a saved clock"):
        find_preset(str(tmp_path / "other.json"))
    with pytest.raises(UnknownName, match="choose one of"):
        find_preset("nonesuch")


def test_summary_is_plain():
    """What goes into the results file has all cells, and survives JSON."""
    import json

    told = plain(summary(calibrate(SMALL.cells(4096), Planted(line))))
    assert json.loads(json.dumps(told)) == told
    assert len(told["cells"]) == len(SMALL.cells(4096))


def test_measured_on_a_model():
    """On a model every cell gives its repeats, all of them positive."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tiny_model import model, source

    from gpu_validate.calibrate import measured_on
    from gpu_validate.executor import Executor, Limits

    grid = Grid((1, 2, 3, 4), (4, 16, 40), ((1, 3), (1, 6), (2, 6), (2, 9)), 1, 3)
    cells = grid.cells(400)
    executor = Executor(model(), source().shape, Limits.over(cell.room for cell in cells))
    try:
        found = calibrate(cells, measured_on(executor, grid))
    finally:
        executor.close()
    assert found.seconds.shape == (len(cells), 3)
    assert (found.seconds > 0).all()
    assert found.clock.d0 > 0
