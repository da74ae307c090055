"""Settings common to all tests: Hypothesis draws the same examples every time, and more of them on request."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("all", settings.get_profile("quick"), max_examples=1500)
settings.load_profile(os.environ.get("KVRATIO_TESTS", "quick"))
