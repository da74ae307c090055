"""Clocks of machines that were measured or published, with where each number comes from."""

from __future__ import annotations

from dataclasses import dataclass

from kvratio.problem.clock import Clock, RooflineClock


@dataclass(frozen=True)
class Preset:
    """A clock, the key-value memory that goes with it (tokens), and the provenance of both."""

    name: str
    clock: Clock | RooflineClock
    memory: int
    provenance: str


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
