"""Lower bounds on the optimum, exact optima of small instances, certificates and their verifier.

`lowerbounds.closed_form` is the module of LB0 to LB4; its function of that name is imported from there. Public
names are loaded on first use; solvers are imported only by the methods that call them.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "METHODS": "lowerbounds.best",
    "bound": "lowerbounds.best",
    "brute_force": "lowerbounds.brute",
    "BoundCard": "lowerbounds.card",
    "Claim": "lowerbounds.card",
    "CLOSED_FORMS": "lowerbounds.closed_form",
    "best_closed_form": "lowerbounds.closed_form",
    "starts_lp": "lowerbounds.lp",
    "verify_bound": "lowerbounds.verify",
    "verify_certificate": "lowerbounds.verify",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
