"""The whole command without the LP solvers, as on the machine it is planned for."""

import json

import pytest
from test_gpu_refusals import BLOCK


@pytest.mark.slow
def test_everything_without_solvers(tmp_path):
    """`gpu all --preset tiny` runs from end to end where pulp and highspy cannot be imported, and imports neither."""
    import subprocess
    import sys

    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    text = BLOCK.format(
        blocked={"pulp", "highspy"}, arguments=["gpu", "all", "--preset", "tiny", "--out", str(tmp_path)]
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "results.json").read_text())["models"]["tiny"]
    assert found["calibration"]["coefficients"]["d0"] > 0
    assert {row["policy"] for row in found["rows"]} >= {"offline", "mc_sf"}


def test_a_contest_without_solvers():
    """Schedules, bounds and the best known schedule of a small instance need no solver."""
    import subprocess
    import sys

    body = (
        "from gpu_validate.contest import Subject, hold\n"
        "import algos, algos.reference\n"
        "algos.schedule = algos.reference.schedule\n"
        "from gpu_validate.study import entries\n"
        "from kvratio.problem import Instance\n"
        "held = hold(Subject('x', '', given=Instance([2, 3, 2], [6, 2, 3], 12)), entries(('mc_sf', 'gsa')))\n"
        "import kvratio.commands.gpu, kvratio.suite.gpu.write, gpu_validate.conduct, gpu_validate.overload\n"
        "print(held.bound.method, held.bound.lower <= held.players[-1].timeline.schedule.total_completion)\n"
    )
    text = BLOCK.format(blocked={"pulp", "highspy"}, arguments=[]).rpartition("from kvratio.cli")[0] + body
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "lagrangian True", done.stderr
