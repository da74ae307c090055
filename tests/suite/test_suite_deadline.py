"""Time limits: one that raises, one that ends the process, and neither left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from kvratio.suite.deadline import CellTimeout, deadline


def test_the_soft_limit_raises_and_is_taken_away():
    """The block ends with CellTimeout; afterwards no alarm is pending and the old handler is back."""
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(CellTimeout, match=r"policy x took longer than 0\.05 s"), deadline(0.05, "policy x"):
        time.sleep(5)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_block_in_time_is_left_alone():
    """Nothing is raised, now or later."""
    before = signal.getsignal(signal.SIGALRM)
    with deadline(0.05, "quick"):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    time.sleep(0.1)


def test_other_threads_have_a_limit_of_their_own():
    """Signals reach the main thread only; elsewhere the interpreter is asked to raise, and only past the limit."""
    told = []

    def work():
        with deadline(60.0, "quick"):
            told.append("done")
        try:
            with deadline(0.01, "slow"):
                while True:
                    time.sleep(0.001)
        except CellTimeout as fault:
            told.append(str(fault))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=30)
    assert told[0] == "done"
    assert told[1].startswith("slow took longer than 0.01 s")


def test_the_hard_limit_ends_a_process_that_ignores_signals(tmp_path):
    """A worker stuck where no Python instruction runs is ended, and its last traceback is in the log."""
    log = tmp_path / "log"
    code = (
        "import signal, sys, time\nfrom kvratio.suite.deadline import hard_limit\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
        "with open(sys.argv[1], 'w') as log, hard_limit(0.3, log):\n    time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(log)], timeout=20)
    assert done.returncode != 0
    assert "Timeout" in log.read_text()
