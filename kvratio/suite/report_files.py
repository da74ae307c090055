"""Tables and figures of a finished run, written into its folder."""

from __future__ import annotations

from pathlib import Path

from kvratio.suite.comparison import shared
from kvratio.suite.render import write_tables
from kvratio.suite.run import Run
from kvratio.suite.seal import seal
from kvratio.suite.statistics import Summary, frame, summarise
from kvratio.suite.tables import all_tables


def summaries_of(run: Run) -> list[Summary]:
    """Summaries of a run, with the bootstrap that its suite asks for."""
    return summarise(run.table(), run.suite.resamples, run.suite.confidence)


def write_table_files(run: Run, summaries: list[Summary], folder: Path) -> list[Path]:
    """Write every table of a run, and its numbers, into a folder; return the paths."""
    written = write_tables(all_tables(run.suite, summaries, Path()), folder)
    frame(summaries).to_csv(folder / "summary.csv", index=False, lineterminator="\n")
    return [*written, folder / "summary.csv"]


def write_report_files(run: Run) -> list[Summary]:
    """Write ``tables/`` (LaTeX, Markdown, CSV; numbers in ``summary.csv``) and ``figures/``; return the summaries."""
    summaries = summaries_of(run)
    write_table_files(run, summaries, run.folder.tables)
    if any(summary.worst is not None for summary in summaries):
        from kvratio.suite.plots import ratio_figure, save_figure

        figure = ratio_figure(summaries, f"Suite {run.suite.name}: worst ratio by policy")
        save_figure(figure, run.folder.figures / "ratio_by_policy")
        cells = run.table()
        if cells["policy"].nunique() > 1 and len(shared(cells)):
            from kvratio.suite.curves import profile_figure

            profiles = profile_figure(cells, f"Suite {run.suite.name}: performance profile")
            save_figure(profiles, run.folder.figures / "performance_profile")
    seal(run.path)
    return summaries
