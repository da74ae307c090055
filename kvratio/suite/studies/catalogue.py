"""The studies there are."""

from __future__ import annotations

import importlib

from kvratio.problem.errors import UnknownName
from kvratio.suite.naming import nearest
from kvratio.suite.studies.study import Study

#: name -> module; loaded on use, since each imports what it draws with
MODULES = {
    "augmentation": "kvratio.suite.studies.augmentation",
    "prediction_error": "kvratio.suite.studies.prediction",
    "gcd": "kvratio.suite.studies.gcd",
    "alpha": "kvratio.suite.studies.alpha",
}


def study_names() -> list[str]:
    """Names of the studies, in the order of the documents."""
    return list(MODULES)


def study(name: str) -> Study:
    """Return a study by its name.

    Raises
    ------
    UnknownName
        There is none of that name.
    """
    if name not in MODULES:
        raise UnknownName(f"no study is called {name!r}{nearest(name, MODULES)}")
    found: Study = importlib.import_module(MODULES[name]).STUDY
    return found
