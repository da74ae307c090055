"""Running papers: each into a folder of its own, then one index of all published figures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvratio.problem.errors import BadParameter
from kvratio.suite.papers.finding import FAILED, Finding
from kvratio.suite.papers.judge import judge
from kvratio.suite.papers.paper import Paper, load_paper, paper_names
from kvratio.suite.papers.results import Results


@dataclass(frozen=True)
class Outcome:
    """What a paper's run found.

    Attributes
    ----------
    paper : Paper
    findings : tuple of Finding
        In the order of the paper's file.
    folder : Path
    seconds : float
    failed : int
        Cells that failed; their figures are ``failed`` too.
    """

    paper: Paper
    findings: tuple[Finding, ...]
    folder: Path
    seconds: float = 0.0
    failed: int = 0

    @property
    def faulty(self) -> bool:
        """Whether something could not be measured."""
        return bool(self.failed) or any(finding.verdict == FAILED for finding in self.findings)


def conduct_papers(
    names: Sequence[str | Path] = (),
    out: str | Path = Path("runs") / "papers",
    workers: int | None = None,
    quick: bool = False,
    progress: bool = True,
) -> list[Outcome]:
    """Run papers and write their tables, figures and the index ``PAPERS.md``.

    Parameters
    ----------
    names : sequence of str or Path
        arXiv ids or TOML files; empty: all there are.
    out : path
        The folder; a run in it goes on where it stopped.
    workers : int, optional
        Processes; default: the cores this process may use. The tables are the same bytes whatever the number.
    quick : bool
        Fewer instances, shorter simulations, cheaper bounds: the rules are the same, intervals are wider.
    progress : bool
        Tell on stderr.

    Returns
    -------
    list of Outcome

    Raises
    ------
    UnknownName, BadParameter
        A paper that does not exist, or a mistake in its file. All files are read before anything runs.
    """
    from kvratio.suite.papers.index import write_index

    papers = [load_paper(name) for name in names or paper_names()]
    twice = [paper.arxiv for k, paper in enumerate(papers) if paper.arxiv in [other.arxiv for other in papers[:k]]]
    if twice:
        raise BadParameter(f"paper {twice[0]} is named twice: both would be written into the same folder; name it once")
    folder = Path(out)
    outcomes = [conduct_paper(paper, folder / paper.arxiv, workers, quick, progress) for paper in papers]
    write_index(outcomes, folder, quick)
    return outcomes


def conduct_paper(
    paper: Paper, folder: Path, workers: int | None = None, quick: bool = False, progress: bool = True
) -> Outcome:
    """Run one paper into a folder: its run, the table of reported figures, and the figures."""
    from kvratio.suite.papers.parts import PARTS
    from kvratio.suite.papers.write import write_findings

    begun = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    if paper.part == "suite":
        findings, failed = _run_suite(paper.quickened() if quick else paper, folder, workers, progress)
    else:
        findings = PARTS[paper.part](paper, folder, workers, quick, progress)
        findings += _judged(paper, None)
    write_findings(findings, folder, f"arXiv {paper.arxiv}: published figures beside ours")
    return Outcome(paper, tuple(findings), folder, time.monotonic() - begun, failed)


def _run_suite(paper: Paper, folder: Path, workers: int | None, progress: bool) -> tuple[list[Finding], int]:
    from kvratio.suite.papers.figures import draw_grids
    from kvratio.suite.report_files import write_report_files
    from kvratio.suite.run import run_suite

    assert paper.suite is not None
    run = run_suite(paper.suite, out=folder / "run", workers=workers, progress=progress)
    write_report_files(run)
    draw_grids(run.suite, run.table(), folder)
    results = Results(run.table(), run.suite.resamples, run.suite.confidence, run.folder.schedules)
    return _judged(paper, results), run.failed


def _judged(paper: Paper, results: Results | None) -> list[Finding]:
    return [judge(figure, results, paper.arxiv) for figure in paper.reported]


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings have each verdict, all verdicts in order."""
    from kvratio.suite.papers.finding import VERDICTS

    found = list(findings)
    return {verdict: sum(finding.verdict == verdict for finding in found) for verdict in VERDICTS}


__all__ = ["Outcome", "conduct_paper", "conduct_papers", "counts"]
