"""The command `ndx-cinac`: its verbs, their options, and what it says when something fails."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .. import __version__
from ..errors import CinacError
from .printing import printable

DESCRIPTION = "Predict cell activity from calcium-imaging movies in NWB files, and write it into NWB files."

EPILOG = """examples:
  ndx-cinac demo                      see it work on a simulated recording
  ndx-cinac inspect session.nwb       what is in the file, and would it be predicted rightly?
  ndx-cinac predict session.nwb       predictions in session_cinac.nwb
  ndx-cinac plot session_cinac.nwb    figures of them

`ndx-cinac VERB --help` shows the options of a verb and an example."""


UNHARMED = "the source is as it was, and no output was left half-written"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``ndx-cinac``; by default what the shell gave.

    Returns
    -------
    int
        0: done. 1: failed, and standard error says why. 130: interrupted. 143: told to end (SIGTERM). Wrong
        usage exits with 2.
    """
    options = build_parser().parse_args(arguments)
    _configure(options)
    try:
        module, _, function = options.run.rpartition(":")
        getattr(import_module(f"{__package__}.{module or 'commands'}"), function)(options)
    except CinacError as error:
        return _failed(options, str(error), error)
    except KeyboardInterrupt:
        return _said(f"interrupted; {UNHARMED}", 130)
    except Terminated as end:
        return _said(f"ended by {end.name}; {UNHARMED}", 128 + end.number)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}\nRun it with --debug to see where it came from."
        return _failed(options, text, error)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all verbs."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("everywhere")
    # SUPPRESS: an option given before the verb is not reset by the verb's own parser
    group.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    group.add_argument(
        "-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="print only errors"
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="tell more, warnings included"
    )
    parser = argparse.ArgumentParser(
        prog="ndx-cinac",
        description=DESCRIPTION,
        epilog=EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help="print the version and end"
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    import_module(f"{__package__}.verbs").add_verbs(verbs, common)
    return parser


def _configure(options: argparse.Namespace) -> None:
    """Set the logging, the warnings and the signals of a program that people run."""
    for name in ("debug", "quiet", "verbose"):
        setattr(options, name, getattr(options, name, False))
    level = logging.DEBUG if options.debug else logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr, force=True
    )
    logging.getLogger("ndx_cinac").setLevel(logging.ERROR if options.quiet else level)
    if not options.quiet:  # that a run goes on from earlier work is worth a line
        logging.getLogger("ndx_cinac.journal").setLevel(logging.INFO)
    if not (options.debug or options.verbose):
        warnings.simplefilter("ignore")  # of other packages: ours are notes of the result
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _terminate)  # a job that is ended clears up behind itself


class Terminated(BaseException):
    """The program was told to end by a signal: no error, but everything is cleared up as after one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number, self.name = number, signal.Signals(number).name


def _terminate(number: int, _frame: Any) -> NoReturn:
    """End the program as an exception does, so that unfinished output is removed."""
    signal.signal(number, signal.SIG_IGN)  # told twice, it would stop in the middle of clearing up
    raise Terminated(number)


def _failed(options: argparse.Namespace, text: str, error: Exception) -> int:
    """Say why something failed, with the traceback where that was asked for."""
    if options.debug:
        import traceback

        traceback.print_exception(error)
    return _said(text, 1)


def _said(text: str, status: int) -> int:
    """Print a message on standard error and return the exit status."""
    print(f"ndx-cinac: {printable(text)}", file=sys.stderr)
    return status
