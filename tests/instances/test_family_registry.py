"""Finding families: by id, by file, and what is said when there is none."""

import subprocess
import sys

import pytest

import instances
from instances import generate
from kvratio.problem.errors import BadParameter, UnknownName

USER_FAMILY = """
import numpy as np
from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, declare, requests

@declare(FamilyCard(
    id="pair", title="one long request, one short", target="fcfs", effect="hurts",
    parameters=(Parameter("memory", REQUIRED, "memory M (tokens)", low=4),),
))
def pair(setting, memory):
    inst = requests(memory, (1, 0, 0, memory), (1, 0, 0, 1))
    return Construction(inst, witness=np.array([1, 0]), forced_cost=2 * memory + 1)

number = 3
"""


def test_every_id_of_the_specification_is_there():
    """The stable ids of adversarial, wrapper and random families are all known."""
    ids = (
        "burst_trap stream_trap blocker sf_trap tsf_trap svf_trap head_of_line synchronised long_protection "
        "eviction_cycle kill_thrash regime_mixing interval_trap interval_geometric prediction_error augmentation "
        "randomised_start jaillet_batch jaillet_online lognormal two_point geometric powers_of_two uniform"
    )
    assert set(ids.split(" ")) <= set(instances.family_ids())


def test_a_family_of_the_user_is_found_by_file(tmp_path):
    """file.py:name loads a family written like the built-in ones, with its checks."""
    file = tmp_path / "mine.py"
    file.write_text(USER_FAMILY)
    inst = generate(f"{file}:pair", memory=9)
    assert (inst.info["family"], inst.info["ratio"]) == ("pair", 19 / 11)
    assert instances.family(f"{file}:pair").title == "one long request, one short"
    with pytest.raises(BadParameter, match="pair: memory is 3"):
        generate(f"{file}:pair", memory=3)
    with pytest.raises(UnknownName, match="no family named number"):
        generate(f"{file}:number")
    with pytest.raises(UnknownName, match="there is no file"):
        generate("nowhere.py:pair")


def test_an_unknown_id_names_the_nearest():
    """A misspelt id is answered with the one that was meant."""
    with pytest.raises(UnknownName, match="did you mean 'burst_trap'"):
        generate("burst-trap", memory=9)
    with pytest.raises(UnknownName, match="family_ids"):
        generate("zzz")
    with pytest.raises(UnknownName, match="give an id"):
        generate(7)


def test_importing_the_package_is_lazy():
    """Importing instances loads neither numpy nor a family."""
    code = "import sys, instances; print([m for m in ('numpy', 'instances.registry') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_unknown_names_of_the_package_are_refused():
    """Lazy loading keeps the usual error."""
    with pytest.raises(AttributeError, match="nothing"):
        instances.nothing  # noqa: B018
    assert "generate" in dir(instances)
