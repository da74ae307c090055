"""Serving policies: every module here with ``CARDS`` is found by `algos.serving.registry`."""
