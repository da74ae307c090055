"""gba_d: gba's plan, every start pulled forward while memory allows (arXiv 2601.22996; docs/policies.md 6.3)."""

from __future__ import annotations

from algos.card import Card
from algos.papers import FENG
from algos.policies.staggered import GBA_ALPHA, GBA_PARAMETERS, PADDED, gba_ladder, gba_scratch, plan_gba, preset_alpha
from algos.timetable.guarantees import GBA_GUARANTEE
from algos.timetable.run import Timetable

CARDS = (
    Card(
        id="gba_d",
        title="Geometric batching with early starts",
        family="staggered",
        information="clairvoyant",
        arrivals="batch rule",
        about="Takes gba's plan and starts each request as early as the true memory profile allows, in the planned "
        "order: no request completes later than under gba." + PADDED,
        reference="2601.22996",
        source=FENG,
        parameters=GBA_PARAMETERS,
        guarantee=GBA_GUARANTEE,
        resolve=preset_alpha(GBA_ALPHA),
        run=Timetable(plan_gba, gba_ladder, gba_scratch, compact=True),
    ),
)
