"""What the tests of staggered and unequal-prompt policies draw, and bounds computed from first principles."""

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from kvratio import Instance

STAGGERED = ("sps", "gba", "gba_d", "gsa", "gsa_spec")
UNEQUAL = ("rect", "response", "route")

I1 = Instance(prompt=[2] * 8, output=[5, 1, 3, 8, 2, 1, 4, 2], memory=14)
I2 = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16)
I3 = Instance(prompt=[1] * 16, output=[4] * 16, memory=20)
I2A = I2.replace(arrival=[0, 2, 1, 0, 5, 3, 3])
IDENTICAL = Instance(prompt=[1] * 400, output=[49] * 400, memory=500)
FOUR = Instance(prompt=[2] * 4, output=[5, 1, 3, 2], memory=12)


@st.composite
def instances(draw: st.DrawFn, most: int = 10, online: bool = True) -> Instance:
    """Draw an instance: equal, mixed or small prompts, lengths of every kind, batch or online."""
    memory = draw(st.integers(1, 40))
    n = draw(st.integers(1, most))
    some = {"min_size": n, "max_size": n}
    kind = draw(st.sampled_from(["equal", "mixed", "small"]))
    if kind == "equal":
        prompt = [draw(st.integers(0, memory - 1))] * n
    else:
        prompt = draw(st.lists(st.integers(0, memory - 1 if kind == "mixed" else (memory - 1) // 4), **some))
    longest = draw(st.sampled_from([memory, max(1, memory // 4)]))
    output = [draw(st.integers(1, min(longest, memory - s))) for s in prompt]
    arrival = draw(st.lists(st.integers(0, 60), **some)) if online and draw(st.booleans()) else None
    return Instance(prompt, output, memory, arrival)


@st.composite
def equal_batches(draw: st.DrawFn, most: int = 40) -> Instance:
    """Draw a batch with equal prompts, small or large against memory."""
    memory = draw(st.integers(2, 300))
    prompt = draw(st.integers(0, memory - 1))
    n = draw(st.integers(1, most))
    longest = draw(st.integers(1, memory - prompt))
    output = draw(st.lists(st.integers(1, longest), min_size=n, max_size=n))
    return Instance([prompt] * n, output, memory)


@st.composite
def parameters(draw: st.DrawFn, policy: str) -> dict[str, Any]:
    """Draw parameters of a staggered policy; other policies have none."""
    given: dict[str, Any] = {}
    if policy == "sps" or policy in UNEQUAL:
        return given
    if draw(st.booleans()):
        given["alpha"] = draw(st.sampled_from([1.02, 1.1, 4 / 3, 1.5, 2, 2.5, 7]) | st.floats(1.03, 5))
    if draw(st.booleans()):
        first = "tau0" if policy.startswith("gsa") else "beta"
        given[first] = draw(st.sampled_from([1, 2, 1.5, 64]) | st.floats(1, 12))
    if policy != "gsa_spec" and draw(st.booleans()):
        given["regime"] = draw(st.sampled_from(["general", "large"]))
    return given


def area(prompt: int, length: int) -> int:
    """Return the token-rounds of an attempt."""
    return prompt * length + length * (length + 1) // 2


def least_costs(inst: Instance) -> tuple[int, Fraction]:
    """Return LB0 and LB1 of a batch, from their definitions: a sum over pairs, in integers and fractions."""
    areas = [area(s, o) for s, o in zip(inst.prompt.tolist(), inst.output.tolist(), strict=True)]
    pairs = sum(min(a, b) for k, a in enumerate(areas) for b in areas[:k])
    return sum(inst.output.tolist()), Fraction(sum(areas) + pairs, inst.memory)
