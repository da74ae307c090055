"""Fixtures of the trace tests: the folder of real traces where there is one, and a writer of small files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def traces_root() -> Path:
    """The folder of real traces; the test is skipped where KVRATIO_TRACES is unset."""
    value = os.environ.get("KVRATIO_TRACES", "")
    if not value:
        pytest.skip("KVRATIO_TRACES is unset: no real traces here")
    return Path(value)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a small file, gzipped where its name ends in .gz."""

    def put(name: str, content: str | bytes) -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return put
