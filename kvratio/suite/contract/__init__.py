"""The contract: what every policy, family and bound must hold, whoever wrote it, each breach on a smallest instance."""

from kvratio.suite.contract.bounds import check_bound
from kvratio.suite.contract.families import check_family
from kvratio.suite.contract.finding import Finding, Report
from kvratio.suite.contract.policies import check_policy

__all__ = ["Finding", "Report", "check_bound", "check_family", "check_policy"]
