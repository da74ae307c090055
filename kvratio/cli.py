"""The command line: one thin command per verb; what a verb needs is imported when it runs."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any, TextIO

import typer

from kvratio.commands import add_commands

#: The base of typer's usage errors: click's class, or that of the copy of click inside newer versions of typer.
UsageFault: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="kvratio",
    help="Certified competitive ratios for KV-cache scheduling policies.",
    epilog="First steps: kvratio run --suite smoke; kvratio list policies; kvratio info gsa.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_commands(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 a finding, 2 bad use, 130 interrupted.

    Errors that kvratio raises on purpose are one line on stderr; anything else is a bug and shows its traceback.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = app(args=arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UsageFault as fault:
        _tell_usage(fault)
        sys.exit(2)
    except typer.Abort:
        print("kvratio: interrupted", file=sys.stderr)
        sys.exit(130)
    except ValueError as fault:
        sys.exit(_tell(fault))
    except KeyboardInterrupt:
        print("kvratio: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (kvratio list | head): not our business, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as fault:
        if fault.filename is None:
            raise
        print(f"kvratio: {fault.filename}: {fault.strerror}", file=sys.stderr)
        sys.exit(2)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line for people, without the place in the source."""
    print(f"kvratio: {message}", file=sys.stderr)


def _tell_usage(fault: Any) -> None:
    """Print what is wrong with the command line in one line; without any arguments, the help."""
    message = fault.format_message()
    if type(fault).__name__ == "NoArgsIsHelpError":
        print(message)
        return
    where = getattr(getattr(fault, "ctx", None), "command_path", None) or "kvratio"
    print(f"kvratio: {' '.join(message.split()).rstrip('.')}: see {where} --help", file=sys.stderr)


def _tell(fault: ValueError) -> int:
    """Print an error of ours as one line and return the exit code; raise any other again."""
    # Imported only now: help must not wait for numpy.
    from kvratio.problem.errors import InfeasibleSchedule, KvratioError, PolicyError, SolverError

    if not isinstance(fault, KvratioError):
        raise fault
    print(f"kvratio: {fault}", file=sys.stderr)
    # What a policy, a schedule or a solver did is a finding; everything else is a wrong word from the user.
    return 1 if isinstance(fault, (InfeasibleSchedule, PolicyError, SolverError)) else 2


if __name__ == "__main__":
    main()
