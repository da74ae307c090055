"""A page of documentation for each policy, made from its card and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from algos import registry
from algos.card import Card

KNOWS = {
    "none": "nothing about lengths until a request completes",
    "one_bit": "one bit of each length, on arrival: long or short",
    "interval": "an interval for each length, on arrival",
    "prediction": "a predicted length for each request, on arrival",
    "clairvoyant": "the true length of each request, on arrival",
}
#: limits of parameters beyond this say nothing to a reader
ABSURD = 1e15


def policy_page(card: Card) -> str:
    """Return the page of one policy as Markdown."""
    facts = {
        "aliases": ", ".join(f"`{alias}`" for alias in card.aliases),
        "family": card.family,
        "knows": KNOWS[card.information],
        "arrivals": card.arrivals,
        "evicts": card.evicts,
        "eviction": f"{card.eviction} (allowed: {', '.join(card.allowed_evictions)})",
        "randomised": "yes" if card.randomised else "",
        "runs": "in the Python interpreter (slow)" if card.plain else "",
        "source": card.source if card.reference in card.source else f"{card.source} [{card.reference}]",
    }
    lines = [f"# {card.title} (`{card.id}`)", "", card.about, "", "| | |", "|---|---|"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in facts.items() if value]
    lines += ["", "## Parameters", "", *_parameters(card), "", "## Guarantee", "", _guarantee(card), "", "## Use", ""]
    lines += [
        f"    kvratio simulate uniform:count=20,memory=60,prompt=[0,20],output=[1,20] {card.id}",
        f"    kvratio check {card.id}",
        "",
        "The rule in full: [policies.md](../policies.md). Made from the card by `kvratio info --pages docs/policies`.",
    ]
    return "\n".join(lines) + "\n"


def write_pages(folder: Path) -> list[Path]:
    """Write the page of every built-in policy into a folder; pages of policies that are no more are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in registry.policy_ids():
        path = folder / f"{name}.md"
        path.write_text(policy_page(registry.card(name)))
        written.append(path)
    for path in set(folder.glob("*.md")) - set(written):
        if "by `kvratio info --pages" in path.read_text():
            path.unlink()
    return written


def _parameters(card: Card) -> list[str]:
    if not card.parameters:
        return ["None."]
    rows = ["| name | default | range | meaning |", "|---|---|---|---|"]
    for parameter in card.parameters:
        default = "computed" if parameter.default is None else str(parameter.default)
        rows.append(f"| `{parameter.name}` | {default} | {_range(parameter)} | {_cell(parameter.doc)} |")
    return rows


def _range(parameter: Any) -> str:
    if parameter.choices:
        return ", ".join(map(str, parameter.choices))
    ends = []
    if abs(parameter.low) < ABSURD:
        ends.append(f"{'>' if parameter.above else '≥'} {parameter.low:g}")
    if abs(parameter.high) < ABSURD:
        ends.append(f"≤ {parameter.high:g}")
    return ", ".join(ends) or ("true or false" if isinstance(parameter.default, bool) else "any")


def _guarantee(card: Card) -> str:
    proved = card.guarantee
    if proved is None:
        return "None is proved."
    return f"{proved.text} on total {proved.objective}. Hypotheses: {proved.hypotheses}. Proof: {proved.reference}."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


__all__ = ["policy_page", "write_pages"]
