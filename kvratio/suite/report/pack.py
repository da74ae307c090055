"""Data inside a page: JSON, compressed, as text that HTML carries safely."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def packed(data: Any) -> str:
    """Return JSON-able data as zlib in base64: no dates in it, so equal data give equal text."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> Any:
    """Return what `packed` was given."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
