"""`kvratio paper`: the published experiments again, with the reported values beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def paper(
    name: Annotated[list[str] | None, typer.Argument(help="arXiv ids or TOML files; default: all.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, figures and PAPERS.md.")] = Path("runs/papers"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer instances and shorter simulations.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores this process may use.")] = None,
    names: Annotated[bool, typer.Option("--list", help="List the papers, run nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run the experiments of the source papers and put the published values beside ours, judged by stated rules.

    A figure that differs is a result, not a fault. Exit code 1: something could not be measured.

    Example: kvratio paper 2601.22996 --quick --out runs/papers
    """
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.papers.conduct import conduct_papers, counts
    from kvratio.suite.papers.index import summary_table
    from kvratio.suite.papers.paper import load_paper, paper_names
    from kvratio.suite.render import print_table

    if names:
        papers = [load_paper(one) for one in name or paper_names()]
        if json:
            print_json([{"arxiv": one.arxiv, "cited": one.cited, "about": one.about} for one in papers])
        else:
            print("\n".join(f"{one.arxiv}  {one.cited}" for one in papers))
        return
    outcomes = conduct_papers(name or (), out, workers, quick, progress=not quiet)
    if json:
        print_json(
            {
                one.paper.arxiv: {
                    "verdicts": counts(one.findings),
                    "seconds": one.seconds,
                    "figures": [
                        {key: value for key, value in vars(f).items() if key != "measured"} for f in one.findings
                    ],
                }
                for one in outcomes
            }
        )
    else:
        print_table(summary_table(outcomes), console())
        print(out / "PAPERS.md")
    if not quiet:
        spent = ", ".join(f"{one.paper.arxiv} {one.seconds:.0f} s" for one in outcomes)
        say(f"{sum(len(one.findings) for one in outcomes)} published figures; {spent}")
    if any(one.faulty for one in outcomes):
        raise typer.Exit(1)
