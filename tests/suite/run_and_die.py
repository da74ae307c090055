"""A program whose copies die in the middle of the tiny suite: ``python run_and_die.py OUT SHARE``.

A run writes in steps: a line of a journal, a file put in place, a folder taken away. A copy of this process runs the
suite into ``OUT/K`` and ends itself with SIGKILL at step K (of a line, half is written). With SHARE = 4 every fourth
step is tried. Prints how many steps a whole run has.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from tiny import tiny

from kvratio.suite.journal import Journal
from kvratio.suite.run import run_suite

SUITE = tiny(certificates=True, schedules=True)


def count_steps(last):
    """Count the steps of this process from now on; end it at the last, before the step or in the middle of it."""
    steps = [0]

    def step(real, half=None):
        def stepping(*given, **named):
            steps[0] += 1
            if steps[0] == last:
                if half is not None:
                    half(*given)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        return stepping

    def half_a_line(journal, values):
        journal._file.write(str(values)[:20])
        journal._file.flush()

    Journal._write = step(Journal._write, half_a_line)
    os.replace, shutil.rmtree = step(os.replace), step(shutil.rmtree)
    return steps


def die_at(last, out):
    """Run the suite in a copy of this process that dies."""
    child = os.fork()
    if child == 0:
        count_steps(last)
        run_suite(SUITE, out=out, backend="serial", progress=False)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == -signal.SIGKILL, f"step {last} was not reached: {ended}"


if __name__ == "__main__":
    home, share = Path(sys.argv[1]), int(sys.argv[2])
    run_suite(SUITE, out=home / "warm", backend="serial", progress=False)
    child = os.fork()
    if child == 0:
        steps = count_steps(0)
        run_suite(SUITE, out=home / "count", backend="serial", progress=False)
        (home / "steps").write_text(str(steps[0]))
        os._exit(0)
    os.waitpid(child, 0)
    total = int((home / "steps").read_text())
    for last in range(1, total + 1, share):
        die_at(last, home / str(last))
    print(total)
