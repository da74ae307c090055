"""Instances: what is refused and how, what is derived, what survives a file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio import Instance
from kvratio.problem.errors import BadInstance

BAD = {
    "peak above memory": (([1, 4], [1, 2], 5), "output: request 1 has prompt 4 + output 2 = 6 > memory 5"),
    "zero output": (([1], [0], 5), "output: request 0 has 0"),
    "negative prompt": (([1, -2], [1, 1], 5), "prompt: request 1 has -2"),
    "fraction": (([1, 1.5], [1, 1], 5), "prompt: request 1 has 1.5"),
    "nan": (([float("nan")], [1], 5), "prompt: request 0 has nan"),
    "infinite": (([1], [float("inf")], 5), "output: request 0 has inf"),
    "text": ((["a"], [1], 5), "prompt: request 0 has 'a'"),
    "boolean": (([True], [1], 5), "prompt: request 0 has True"),
    "shapes": (([1, 2], [1], 9), "output has 1 entries but prompt has 2"),
    "matrix": (([[1]], [1], 9), "prompt has 2 dimensions"),
    "ragged": (([[1], [1, 2]], [1, 1], 9), "prompt is not a flat list"),
    "empty": (([], [], 5), "prompt is empty"),
    "no memory": (([1], [1], 0), "memory is 0"),
    "memory nan": (([1], [1], float("nan")), "memory is nan"),
    "memory fraction": (([1], [1], 5.5), "memory is 5.5"),
    "memory text": (([1], [1], "5"), "memory is '5'"),
    "beyond int64": (([2**64], [1], 5), "prompt: request 0 has 18446744073709551616"),
    "uint beyond int64": ((np.array([2**63], dtype=np.uint64), [1], 5), "prompt: request 0 has 9223372036854775808"),
    "volume beyond int64": (([10**12], [10**12], 4 * 10**12), "beyond int64"),
    "negative arrival": (([1], [1], 5, [-1]), "arrival: request 0 has -1"),
    "short arrivals": (([1, 1], [1, 1], 5, [0]), "arrival has 1 entries"),
    "fractional prediction": (([1], [1], 5, None, [1.5]), "predicted: request 0 has 1.5"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_names_field_request_and_value(arguments, message):
    """Each kind of bad input raises one line that says what is wrong and where."""
    with pytest.raises(BadInstance) as caught:
        Instance(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_defaults_are_filled_in_and_arrays_are_read_only():
    """Left-out fields get the model's defaults, and nobody can change an instance."""
    inst = Instance([1, 2], [3, 4], 10)
    assert inst.arrival.tolist() == [0, 0]
    assert inst.predicted.tolist() == [3, 4]
    assert inst.predicted_low.tolist() == [1, 1]
    assert inst.predicted_high.tolist() == [9, 8]
    assert not inst.has_predictions
    with pytest.raises(ValueError, match="read-only"):
        inst.prompt[0] = 7


def test_the_callers_arrays_are_copied():
    """Changing the input afterwards does not change the instance."""
    prompt = np.array([1, 2])
    inst = Instance(prompt, [1, 1], 5)
    prompt[0] = 4
    assert inst.prompt.tolist() == [1, 2]


def test_derived_quantities():
    """Volumes, peaks and alpha follow their definitions."""
    inst = Instance([0, 5], [3, 2], 8)
    assert inst.volume.tolist() == [6, 13]
    assert inst.peak.tolist() == [3, 7]
    assert inst.alpha == 7 / 8


def test_key_depends_on_the_problem_alone():
    """Names and provenance do not enter the key; every number does."""
    inst = Instance([1, 2], [3, 4], 10)
    assert inst.key == Instance([1, 2], [3, 4], 10, name="x", info={"seed": 1}, witness=[0, 0]).key
    others = [
        Instance([1, 2], [3, 4], 11),
        Instance([2, 1], [3, 4], 10),
        Instance([1, 2], [4, 3], 10),
        Instance([1, 2], [3, 4], 10, arrival=[0, 1]),
        Instance([1, 2], [3, 4], 10, predicted=[3, 5]),
        Instance([1, 2], [3, 4], 10, predicted_high=[3, 5]),
    ]
    assert len({inst.key, *(o.key for o in others)}) == 7


def test_replace_keeps_left_out_predictions_left_out():
    """A changed output changes the default prediction with it."""
    inst = Instance([1, 2], [3, 4], 10).replace(output=[1, 1])
    assert inst.predicted.tolist() == [1, 1]
    assert inst.replace(memory=20).predicted_high.tolist() == [19, 18]


numbers = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.integers(0, 99)), min_size=1, max_size=8)


@given(rows=numbers, predicted=st.booleans(), suffix=st.sampled_from([".json", ".npz"]))
def test_files_give_back_an_equal_instance(rows, predicted, suffix, tmp_path_factory):
    """Saving and loading changes nothing, in either format."""
    s, o, a = (list(column) for column in zip(*rows, strict=True))
    inst = Instance(s, o, 100, arrival=a, predicted=o[::-1] if predicted else None, info={"seed": 3}, name="x")
    back = Instance.load(inst.save(tmp_path_factory.mktemp("instance") / f"inst{suffix}"))
    assert back == inst
    assert (back.name, dict(back.info), back.has_predictions) == ("x", {"seed": 3}, predicted)
