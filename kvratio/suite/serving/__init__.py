"""Experiments on the serving model: what a run shows, and whether a load is stable."""
