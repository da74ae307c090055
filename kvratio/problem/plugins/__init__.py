"""Policies, families and bounds that live in the user's own files: named, read whole, pinned, and loaded."""

from kvratio.problem.plugins.loading import Plugin, PluginError, describe, find, installed, objects, place, require
from kvratio.problem.plugins.reference import GROUPS, Reference, is_reference, read_reference
from kvratio.problem.plugins.sources import SourceFile, Sources, collect, module_file

__all__ = [
    "GROUPS",
    "Plugin",
    "PluginError",
    "Reference",
    "SourceFile",
    "Sources",
    "collect",
    "describe",
    "find",
    "installed",
    "is_reference",
    "module_file",
    "objects",
    "place",
    "read_reference",
    "require",
]
