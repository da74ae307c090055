"""Tables that a reader asks a run for: by a spec, policies against each other, performance profiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from kvratio.suite.run import Run
    from kvratio.suite.tables import Table

#: factors at which a printed performance profile is read off; the CSV and JSON have every step
FACTORS = (1.0, 1.01, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)


def show_asked(
    run: Run,
    spec: Path | None,
    view: str,
    against: Sequence[str],
    by_family: bool,
    kept: tuple[Sequence[str], Sequence[str]],
    form: str,
    json: bool,
    out: Path | None,
) -> None:
    """Print one of these tables in one format, or write it in all formats into a folder."""
    from kvratio.commands.showing import chosen_cells

    suite, cells = run.suite, chosen_cells(run, *kept)
    if spec is not None:
        _by_spec(cells, spec, form, json, out)
    elif view == "comparison":
        from kvratio.suite.comparison import compare, frame
        from kvratio.suite.comparison_table import comparison_table

        found = compare(cells, against, by_family, suite.resamples, suite.confidence)
        _show(comparison_table(suite.name, found, suite.confidence), frame(found), form, json, out)
    else:
        from kvratio.suite.comparison import profile
        from kvratio.suite.comparison_table import profile_table

        steps = profile(cells)
        _show(profile_table(suite.name, profile(cells, FACTORS)), steps.reset_index(), form, json, out)


def _by_spec(cells: pd.DataFrame, path: Path, form: str, json: bool, out: Path | None) -> None:
    from kvratio.commands.output import console, print_json
    from kvratio.suite import paper_table as paper
    from kvratio.suite.render import print_table
    from kvratio.suite.spec import load_spec

    table = paper.paper_table(cells, load_spec(path))
    texts = {
        "latex": lambda: paper.latex(table),
        "markdown": lambda: paper.markdown(table),
        "html": lambda: paper.html(table),
        "csv": lambda: table.numbers.to_csv(index=False, lineterminator="\n"),
    }
    if out is not None:
        endings = {"latex": ".tex", "markdown": ".md", "html": ".html", "csv": ".csv"}
        files = {path.stem + ending: texts[name]() for name, ending in endings.items()}
        _write(files | {f"{path.stem}_body.tex": paper.latex(table, document=False)}, out)
    elif json:
        print_json({"title": table.spec.title, "rows": table.numbers.to_dict("records"), "notes": table.notes})
    elif form == "terminal":
        print_table(paper.as_table(table), console())
    else:
        print(texts[form]())


def _show(table: Table, numbers: pd.DataFrame, form: str, json: bool, out: Path | None) -> None:
    from kvratio.commands.output import console, print_json
    from kvratio.suite.render import print_table, render, write_tables

    if out is not None:
        for path in write_tables([table], out):
            print(path)
        _write({f"{table.name}_numbers.csv": numbers.to_csv(index=False, lineterminator="\n")}, out)
    elif json:
        print_json({"rows": numbers.to_dict("records")})
    elif form == "terminal":
        print_table(table, console())
    else:
        print(render(table, form))


def _write(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        print(folder / name)
