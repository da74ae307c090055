"""A small model, small instances, and their one-by-one generation, made once."""

from functools import cache

import numpy as np
import pytest

from kvratio.problem import Instance

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from gpu_validate.executor import Executor  # noqa: E402
from gpu_validate.one_by_one import generate  # noqa: E402
from gpu_validate.replay import limits_of, texts  # noqa: E402
from gpu_validate.weights import Source  # noqa: E402

CPU = torch.device("cpu")


@cache
def source():
    """The tiny shape."""
    return Source(random_weights="tiny")


@cache
def _model(dtype):
    return source().load(CPU, dtype)


def model(dtype="float32"):
    """The tiny model with its own attention."""
    return _model(dtype)


def alone(inst, dtype="float32"):
    """What each request writes when it is generated alone by the library."""
    return _alone(inst, dtype)


@cache
def _alone(inst, dtype):
    return generate(model(dtype), texts(inst, source().shape.vocabulary), inst.output.tolist())


@cache
def batch_instance():
    """Twelve requests, empty prompts among them, in a memory that holds a few."""
    return Instance(
        prompt=[0, 3, 5, 0, 7, 2, 4, 1, 6, 3, 9, 2], output=[6, 4, 9, 2, 5, 11, 3, 8, 4, 7, 2, 10], memory=24
    )


@cache
def online_instance():
    """Ten requests that arrive with gaps, one of them long."""
    draw = np.random.default_rng(5)
    arrival = np.sort(draw.integers(0, 60, 10))
    return Instance(draw.integers(0, 6, 10), draw.integers(1, 9, 10), 18, arrival)


def executor(inst, dtype="float32"):
    """An executor over the tiny model with just the room that an instance needs."""
    return Executor(model(dtype), source().shape, limits_of(inst))
