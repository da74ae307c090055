"""One error class per kind of fault, so that a caller can tell a bad input from a bad policy.

Every message is one line: what is wrong, where, and what to do about it.
"""


class KvratioError(ValueError):
    """Base of every error that kvratio raises on purpose."""


class BadInstance(KvratioError):
    """The data of an instance break a rule of the model (section 1 of docs/model.md)."""


class BadParameter(KvratioError):
    """A parameter of a policy, family, bound or suite has no meaning."""


class UnknownName(KvratioError):
    """A policy, family, bound, suite or trace of that name is not known."""


class InfeasibleSchedule(KvratioError):
    """A schedule breaks the memory budget, an arrival, or the conservation of requests."""


class PolicyError(KvratioError):
    """A policy took an action the model forbids."""


class RoundLimit(PolicyError):
    """A run did not end within the limit on rounds."""


class TraceError(KvratioError):
    """A trace file could not be found, read or trusted."""


class SolverError(KvratioError):
    """A solver failed, or gave an answer that did not survive the recheck."""
