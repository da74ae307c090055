"""Clocks of machines that were measured or published, with where each number comes from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter, UnknownName


@dataclass(frozen=True)
class Preset:
    """A clock, the key-value memory that goes with it (tokens), and the provenance of both."""

    name: str
    clock: Clock | RooflineClock
    memory: int
    provenance: str

    def save(self, path: str | Path, **more: Any) -> Path:
        """Write one ``.json`` file that `find_preset` reads; ``more`` goes in beside it, such as how it was fitted."""
        path = Path(path)
        form = "linear" if isinstance(self.clock, Clock) else "roofline"
        rates = {entry.name: getattr(self.clock, entry.name) for entry in fields(self.clock) if entry.name != "report"}
        about = {"name": self.name, "memory": self.memory, "provenance": self.provenance}
        report = getattr(self.clock, "report", None)
        fitted = {"report": asdict(report)} if is_dataclass(report) and not isinstance(report, type) else {}
        data = {"kind": "clock", "form": form, **about, "clock": rates, **fitted, **more}
        path.write_text(json.dumps(data, indent=1) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Preset:
        """Read a file written by `save`."""
        try:
            data = json.loads(Path(path).read_text())
            if data["kind"] != "clock":
                raise KeyError("kind")
            form = {"linear": Clock, "roofline": RooflineClock}[data["form"]]
            rates = dict(data["clock"])
            if "report" in data:
                rates["report"] = _report(data["report"])
            return cls(data["name"], form(**rates), int(data["memory"]), data["provenance"])
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as fault:
            raise BadParameter(f"{path} is not a saved clock ({type(fault).__name__}: {fault})") from fault


def _report(data: dict[str, Any]) -> Any:
    """Rebuild how well a clock was fitted, so that a run beyond the measured range is warned about."""
    from kvratio.problem.fitting import FitReport

    pairs = {name: tuple(data[name]) for name in ("cached_range", "prompt_range", "warnings")}
    return FitReport(**{**data, **pairs})


_AO = "Ao, Luo, Simchi-Levi, Wang, 'Optimizing LLM Inference' (arXiv 2504.11320)"
_VIDUR = "public A100 profiles of the Vidur simulator (Agrawal et al., arXiv 2405.05465)"

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "a100-llama2-7b",
            Clock(10.6e-3, 4.01e-7, 0.064e-3),
            137_000,
            f"d0, d1 solved from the table of equilibrium memory in {_AO}; d2: slope of layer times in the {_VIDUR}",
        ),
        Preset(
            "a100-llama2-7b-theory",
            Clock(10.6e-3, 4.01e-7),
            137_000,
            f"a100-llama2-7b without the prefill term, as in the theorems of {_AO}",
        ),
        Preset(
            "a100-llama2-7b-profile",
            Clock(11.2e-3, 2.79e-7, 0.064e-3),
            137_000,
            f"least squares on decode profiles (R^2 0.990, largest error 3.8 ms) of the {_VIDUR}",
        ),
        Preset(
            "a100-llama3-8b",
            Clock(17.0e-3, 1.00e-7, 0.0713e-3),
            131_000,
            "line through the three mean batch times at full memory of arXiv 2605.04595; its intercept of 30.06 ms "
            "is split with d1 at a quarter of the Llama-2-7B value, since a token holds a quarter of the bytes",
        ),
        Preset(
            "a100-llama2-7b-roofline",
            RooflineClock(9.3e-3, 2.3e-3, 6.45e-5, 1.04e-3, 1.6e-5, 2.8e-7),
            137_000,
            f"piecewise fit to the {_VIDUR}: reading the weights covers the first tokens",
        ),
    )
}


def presets() -> tuple[Preset, ...]:
    """Return the clocks that come with kvratio, with names, memories in tokens, and provenance."""
    return tuple(PRESETS.values())


def find_preset(name: str) -> Preset:
    """Return a preset by its name, or from a file of `Preset.save` (a path that ends in ``.json``).

    Raises
    ------
    UnknownName
        No such preset or file.
    BadParameter
        The file is not a saved clock.
    """
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise UnknownName(f"{name}: there is no such clock file: `kvratio gpu calibrate` writes one")
        return Preset.load(name)
    if name not in PRESETS:
        raise UnknownName(
            f"clock preset {name!r} is not known: choose one of {', '.join(PRESETS)}, or a .json file of a fitted clock"
        )
    return PRESETS[name]
