"""The ground floor: what an instance, a schedule and a bound are, and when a schedule is feasible."""

from kvratio.problem.batch import InstanceBatch
from kvratio.problem.bound import Bound, Certificate
from kvratio.problem.checker import check
from kvratio.problem.clock import Clock
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import ATTEMPT_DTYPE, Schedule

__all__ = ["ATTEMPT_DTYPE", "Bound", "Certificate", "Clock", "Instance", "InstanceBatch", "Schedule", "check"]
