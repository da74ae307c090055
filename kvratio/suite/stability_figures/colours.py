"""One colour, dash and mark for each kind of eviction and each band: the same in every figure, distinct in grey too."""

from __future__ import annotations

from typing import Any

#: colours of Okabe and Ito, ordered by lightness: in grey print restart is darkest and recompute lightest
SWAP, RECOMPUTE, RESTART = "#009E73", "#E69F00", "#0072B2"

#: of lines and marks, by the kind of eviction
EVICTIONS: dict[str, dict[str, Any]] = {
    "swap": {"color": SWAP, "ls": "-", "marker": "o"},
    "recompute": {"color": RECOMPUTE, "ls": (0, (6, 2)), "marker": "s"},
    "restart": {"color": RESTART, "ls": (0, (1.5, 1.5)), "marker": "^"},
}

#: of areas behind curves, by what holds there; faint hatching tells them apart in grey and leaves the curves in front
BANDS: dict[str, dict[str, Any]] = {
    "stable": {"facecolor": "#EAF5EF", "edgecolor": "none"},
    "metastable": {"facecolor": "#FBEBC8", "edgecolor": "#E5CF95", "hatch": "/", "lw": 0.0},
    "unstable": {"facecolor": "#F3D9D2", "edgecolor": "#DFB6A9", "hatch": "x", "lw": 0.0},
}

#: of bars of what is unstable: nothing lies in front of them, so the hatching may be seen
UNSTABLE_BAR: dict[str, Any] = {**BANDS["unstable"], "edgecolor": "#B5705C", "hatch": "xx"}
