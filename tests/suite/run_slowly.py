"""A program that runs the tiny suite slowly: ``python run_slowly.py OUT WORKERS``."""

import sys

from tiny import run_unit_slowly, tiny

from kvratio.suite import run

if __name__ == "__main__":
    run.run_unit = run_unit_slowly
    run.run_suite(tiny(), out=sys.argv[1], workers=int(sys.argv[2]), progress=False)
