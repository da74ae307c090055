"""N: the policy gets more memory or more speed than the optimum it is compared with."""

from __future__ import annotations

from typing import Any

from instances.augmented import MODES, augmented_memory, ticks
from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.wrapping import base_instance, wrapped
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="augmentation",
    letter="N",
    title="resource augmentation of any family",
    kind="as base",
    group="wrapper",
    target="any",
    parameters=(
        Parameter("base", REQUIRED, "an instance, a family id, or {'family': id, ...}", "base"),
        Parameter("extra", REQUIRED, "e: the policy gets a factor 1 + e", "float", low=0),
        Parameter("mode", "memory", "what it gets more of", "choice", choices=MODES),
    ),
    ratio_text="measured",
    source="derived here",
    about="The instance, its bounds and its witness keep M; the policy runs with floor((1+e) M + 1e-9) memory, or at "
    "1 + e tokens a round (instances.augmented says how). An adaptive base answers the start that "
    "the policy has with them. Ratios below 1 are right here.",
)


@declare(CARD)
def augmentation(setting: Setting, base: Any, extra: float, mode: str) -> Construction:
    """Build the base for M and record what the policy runs with."""
    probe = setting.probe

    def probe_augmented(alone: Instance) -> int:
        assert probe is not None
        if mode == "memory":
            return probe(alone.replace(memory=augmented_memory(alone.memory, extra)))
        start = probe(alone)  # in ticks; it lies in round t + 1 with ticks(t) <= start < ticks(t + 1)
        t = int(start / (1 + extra)) + 1
        while int(ticks(t, extra)) > start:
            t -= 1
        return t

    inst = base_instance(setting, base, probe=None if probe is None else probe_augmented)
    memory = augmented_memory(inst.memory, extra) if mode == "memory" else inst.memory
    return wrapped(
        setting, inst, inst, witness=inst.witness, augmentation=mode, policy_memory=memory, policy_extra=extra
    )
