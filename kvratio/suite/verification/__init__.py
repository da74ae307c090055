"""Recheck a finished run from what its folder holds: files, instances, schedules, certificates, ratios, tables."""
