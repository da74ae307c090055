"""What a result depends on, as hashes: source code, data files, and the key of a cell."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from kvratio.problem.errors import UnknownName
from kvratio.suite.naming import canonical
from kvratio.suite.plan import BoundSpec, PolicySpec

#: packages whose source decides the cost of a policy, and the bound of an instance
POLICY_SOURCE = ("kvratio.problem", "algos")
BOUND_SOURCE = ("kvratio.problem", "lowerbounds")


@cache
def source_hash(package: str) -> str:
    """sha256 over the names and bytes of a package's Python files, in sorted order."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UnknownName(f"package {package!r} is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cell_key(instance_key: str, policy: PolicySpec, seed: int, bound: BoundSpec, objective: str) -> str:
    """Content key of a cell: equal keys mean equal results, whatever suite asks for them.

    It covers the instance, the policy with its parameters, eviction and seed, the bound with its options, and
    the source of everything that computes them. Labels, file names and timings are not in it.
    """
    parts = [instance_key, policy.id, canonical(policy.parameters), policy.eviction, str(seed), bound.identity, objective]
    parts += [source_hash(package) for package in dict.fromkeys(POLICY_SOURCE + BOUND_SOURCE)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
