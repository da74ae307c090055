"""Streams, clocks, bounds, packed batches and the import of the package."""

import subprocess
import sys

import numpy as np
import pytest

from kvratio import Bound, Certificate, Clock, Instance, InstanceBatch
from kvratio.problem.errors import BadInstance, BadParameter
from kvratio.problem.seeds import stream


def test_streams_depend_on_their_names_alone():
    """Equal names give equal numbers, different names different ones, and types count."""
    assert stream("a", 1).integers(0, 2**60) == stream("a", 1).integers(0, 2**60)
    draws = {int(stream(*names).integers(0, 2**60)) for names in (("a", 1), ("a", 2), ("b", 1), ("a", "1"), ("a1",))}
    assert len(draws) == 5


def test_clock_is_linear_and_refuses_nonsense():
    """d0 + d1 K + d2 P + swap tokens, with finite nonnegative constants."""
    assert Clock(1.0, 0.5, 0.25, 2.0).iteration(4, 8, 1) == 1 + 2 + 2 + 2
    with pytest.raises(BadParameter, match="d1 is -1"):
        Clock(1.0, -1)
    with pytest.raises(BadParameter, match="stand still"):
        Clock(0.0, 0.0)


def test_bound_states_optimal_only_when_both_sides_meet(tmp_path):
    """Status follows from the numbers, crossed sides are refused, files give back an equal bound."""
    inst = Instance([1], [2], 5)
    assert Bound(inst, "m", "flow", 2, 2).status == "optimal"
    bound = Bound(inst, "m", "flow", 1, 2, certificates=(Certificate("LB0", "lower", {"value": [2, 1]}),))
    assert bound.status == "interval"
    assert Bound.load(bound.save(tmp_path / "bound.json")) == bound
    with pytest.raises(BadParameter, match="lower 3 is above upper 2"):
        Bound(inst, "m", "flow", 3, 2)


def test_a_packed_batch_gives_back_its_instances():
    """Packing concatenates, indexing cuts out, both constructors agree."""
    parts = [Instance([1, 2], [3, 4], 10), Instance([5], [1], 7, arrival=[3])]
    batch = InstanceBatch(parts)
    assert [batch[k] == part for k, part in enumerate(parts)] == [True, True]
    again = InstanceBatch.from_arrays([1, 2, 5], [3, 4, 1], [10, 7], [2, 1], arrival=[0, 0, 3])
    assert all(a.key == b.key for a, b in zip(batch, again, strict=True))
    assert batch.sum_by_instance(np.array([1, 2, 4])).tolist() == [3, 4]


def test_a_packed_batch_refuses_what_an_instance_refuses():
    """Rows are checked against their own instance's budget."""
    with pytest.raises(BadInstance, match="request 2 has prompt 5"):
        InstanceBatch.from_arrays([1, 2, 5], [3, 4, 3], [10, 7], [2, 1])
    with pytest.raises(BadInstance, match="empty"):
        InstanceBatch([])
    with pytest.raises(BadInstance, match="sizes add up to 2"):
        InstanceBatch.from_arrays([1], [1], [4], [2])


def test_importing_the_package_loads_nothing_heavy():
    """The public names are lazy: numba, pandas and matplotlib stay out until they are needed."""
    code = "import kvratio, sys; print([m for m in ('numba', 'pandas', 'matplotlib', 'pulp') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
