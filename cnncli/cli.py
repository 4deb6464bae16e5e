"""The command line: registers the commands and turns an error into one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cnncli.commands.convolve import convolve
from cnncli.commands.demo import demo
from cnncli.commands.doctor import doctor, version_lines
from cnncli.commands.features import features
from cnncli.commands.filters import filters
from cnncli.commands.pool import pool
from cnncli.commands.predict import predict
from cnncli.commands.summary import summary
from cnncli.commands.train import train
from cnncli.commands.why import why
from cnncli.errors import CnncliError, ExitCode

# Typer carries its own Click; this is its base class of "the command line is wrong".
_UsageProblem: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="cnncli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo("\n".join(version_lines()))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print versions, compute device and data folder.",
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Filter pictures with convolutions, train a small CNN, and read digits."""


app.command()(convolve)
app.command()(pool)
app.command()(filters)
app.command(short_help="Train a network and keep its best epoch.")(train)
app.command()(features)
app.command()(why)
app.command(short_help="Say what is in pictures, and how sure that is.")(predict)
app.command()(summary)
app.command()(demo)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process.

    Parameters
    ----------
    arguments
        What follows the program's name; the process's own arguments by default.

    Raises
    ------
    SystemExit
        Always, with a code of :class:`~cnncli.errors.ExitCode`.
    """
    args = list(sys.argv[1:] if arguments is None else arguments)
    own = args[: args.index("--")] if "--" in args else args
    debug = "--debug" in own
    if debug:
        args.remove("--debug")
    sys.exit(_run(args, debug))


def _run(args: list[str], debug: bool) -> int:
    try:
        code = app(args, prog_name="cnncli", standalone_mode=False)
        sys.stdout.flush()
    except CnncliError as error:
        return _fail(str(error), error.exit_code, debug)
    except _UsageProblem as problem:
        # Without arguments the help has been shown, and there is nothing to add.
        line = _usage_line(problem) if problem.format_message() else ""
        return _fail(line, ExitCode.USAGE, debug) if line else ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", ExitCode.INTERRUPTED, debug)
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.OK
    except OSError as error:
        return _fail(_os_line(error), ExitCode.ERROR, debug)
    except Exception as error:
        line = f"{type(error).__name__}: {error}; this is a fault of cnncli: see it with --debug"
        return _fail(line, ExitCode.ERROR, debug)
    return int(code or ExitCode.OK)


def _fail(line: str, code: ExitCode, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    text = " ".join(line.split())
    encoding = sys.stderr.encoding or "ascii"
    # A message is never lost to a console that cannot show one of its letters.
    print(  # noqa: T201 (the one place where an error is shown)
        f"error: {text}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr
    )
    return code


def _usage_line(problem: Any) -> str:
    context = getattr(problem, "ctx", None)
    command = context.command_path if context else "cnncli"
    return f"{problem.format_message().rstrip('.')}; see {command} --help"


def _os_line(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}; check the path, its permissions and the free space"


def _silence_stdout() -> None:
    # The reader has gone; what Python would flush at exit must not raise again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
