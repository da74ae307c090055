"""What can go wrong here and nowhere else; one line each."""

from __future__ import annotations

from kvratio.problem.errors import BadParameter, KvratioError, PolicyError


class MissingLibrary(KvratioError):
    """torch or transformers is not installed."""


class NoDevice(KvratioError):
    """The device that was asked for is not there."""


class DoesNotFit(KvratioError):
    """A schedule needs more memory, or more positions, than the model or the device has."""


class UnsupportedModel(BadParameter):
    """A model whose attention this replay cannot take over."""


class ReplayFault(PolicyError):
    """A replay did something else than its schedule says: a finding."""
