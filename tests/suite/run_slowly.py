"""A program that runs the tiny suite slowly: ``python run_slowly.py OUT WORKERS [BACKEND]``."""

import sys

from tiny import run_unit_slowly, tiny

from kvratio.suite import run
from kvratio.suite.backends import processes, serial

if __name__ == "__main__":
    processes.run_unit = serial.run_unit = run_unit_slowly
    out, workers, *more = sys.argv[1:]
    suite = tiny(certificates=True, schedules=True) if more else tiny()
    run.run_suite(suite, out=out, workers=int(workers), backend=more[0] if more else None, progress=False)
