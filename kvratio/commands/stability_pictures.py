"""`kvratio stability --pictures DIR`: the figures of a workload, or those of docs/congestion.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvratio.suite.stability.mix import Mix
    from kvratio.suite.stability_figures.gallery import Picture


def draw_docs(folder: Path, formats: str, seed: int, json: bool, quiet: bool) -> None:
    """Draw every figure of docs/congestion.md into a folder, and print the paths."""
    from kvratio.commands.output import print_json, say
    from kvratio.suite.stability_figures.gallery import docs_pictures

    paths = _draw(docs_pictures(seed, None if quiet else say), folder, formats, quiet)
    if json:
        print_json([str(path) for path in paths])
    else:
        print("\n".join(str(path) for path in paths))


def draw_mix(mix: Mix, memory: float, folder: Path, formats: str, seed: int, quiet: bool) -> None:
    """Draw the figures of a workload into a folder, and say which cannot be drawn for it."""
    from kvratio.commands.output import say
    from kvratio.suite.stability_figures.gallery import workload_pictures

    pictures, left_out = workload_pictures(mix, memory, seed)
    for line in left_out:
        say(line)
    _draw(pictures, folder, formats, quiet)


def endings_of(formats: str) -> list[str]:
    """Return the endings that --formats names, checked."""
    from kvratio.suite.stability_figures.gallery import check_formats

    endings = [ending.strip().lstrip(".").lower() for ending in formats.split(",")]
    check_formats(endings)
    return endings


def _draw(pictures: Sequence[Picture], folder: Path, formats: str, quiet: bool) -> list[Path]:
    from kvratio.commands.output import say
    from kvratio.suite.stability_figures.gallery import draw_all

    endings = endings_of(formats)
    done: list[Path] = []
    for number, paths in enumerate(draw_all(pictures, folder, endings), 1):
        done += paths
        if not quiet:
            say(f"{number} of {len(pictures)}: {paths[0].stem}")
    return done
