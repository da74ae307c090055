"""W: an instance that a search has found, from the book of worst instances or from a file of one's own."""

import importlib.resources
from pathlib import Path

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from kvratio.problem.bound import Bound
from kvratio.problem.errors import BadParameter

CARD = FamilyCard(
    id="worst",
    letter="W",
    title="a witness that a search has found",
    target="the policy of the entry",
    effect="measured",
    parameters=(
        Parameter("entry", REQUIRED, "name in the book, such as svf.batch, or a file that kvratio search saved", "any"),
    ),
    ratio_text="kvratio list worst",
    source="found by kvratio search; nothing published",
    about="One instance a policy and setting, with an optimal or good schedule as witness. The ratio of the policy "
    "that it is named for is proven; every other policy may be run on it too.",
)


@declare(CARD)
def worst(setting: Setting, entry: str) -> Construction:
    """Read the instance and the schedule saved with it."""
    path = Path(str(entry))
    book = Path(str(importlib.resources.files("instances.worst")))
    file = path if path.is_file() else book / f"{path.name.removesuffix('.json')}.json"
    if not file.is_file() or (file != path and path.parent != Path(".")):
        known = ", ".join(sorted(one.stem for one in book.glob("*.json"))[:8])
        raise BadParameter(
            f"worst: entry is {entry!r}: no such file, and the book has {known}, ..; see kvratio list worst"
        )
    saved = Bound.load(file)
    witness = None if saved.schedule is None else saved.schedule.start
    found = saved.instance.info.get("found", {})
    return Construction(saved.instance, witness=witness, notes={"found": dict(found)})
