"""The command line: registers the commands and turns an error into one line and an exit code."""

import contextlib
import gc
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cnncli.commands._quick import QuickCommand, QuickGroup
from cnncli.errors import CnncliError, ExitCode
from cnncli.files import PICTURE_SUFFIXES, remove_unfinished
from cnncli.images.opening import decode_ahead
from cnncli.limits import DIGIT_PIXELS
from cnncli.show.console import error as show_error

# Typer carries its own Click; this is its base class of "the command line is wrong".
_UsageProblem: Any = typer.BadParameter.__base__

# Every command is a function of its name in a module of its name. What the list of commands says
# of it stands here, so that help and a completion import none of them.
COMMANDS = {
    "convolve": "Filter pictures with named, typed or learned kernels.",
    "pool": "Shrink pictures: keep the largest, mean, smallest or middle value of each window.",
    "filters": "List the named filters, show one with its kernel, or a network's learned ones.",
    "train": "Train a network and keep its best epoch.",
    "features": "Draw the feature maps of every layer, in order, as one labelled picture.",
    "why": "Show which pixels decided, and what the network says when they are covered.",
    "page": "Write a page that runs a network in the browser: draw, and see every map.",
    "predict": "Say what is in pictures, and how sure that is.",
    "evaluate": "Measure weights on labelled pictures.",
    "export": "Write a network for other programs, with its preprocessing and calibration.",
    "summary": "Show a network: layers, shapes, parameters, multiply-adds, and its card.",
    "data": "List, fetch and check the named data sets.",
    "demo": "Walk through convolution, pooling and a network that reads digits.",
    "doctor": "Check the installation: versions, devices, data and weights.",
}


def build_app(loaded: Collection[str] = COMMANDS.keys()) -> typer.Typer:
    """Return the Typer app.

    Parameters
    ----------
    loaded
        Commands whose modules are imported, which takes up to 0.1 s each; the others are listed
        by name.
    """
    app = typer.Typer(
        name="cnncli",
        cls=QuickGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, short_help in COMMANDS.items():
        if name in loaded:
            command = getattr(import_module(f"cnncli.commands.{name}"), name)
            app.command(short_help=short_help, cls=QuickCommand)(command)
        else:
            app.command(name, short_help=short_help)(_listed)
    return app


def _listed() -> None:
    """Stand for a command in the list of commands."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from cnncli.commands.doctor import version_lines  # for this alone

        typer.echo("\n".join(version_lines()))
        raise typer.Exit


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process.

    Parameters
    ----------
    arguments
        What follows the program's name; the process's own arguments by default, and then the
        process ends here.

    Raises
    ------
    SystemExit
        With a code of :class:`~cnncli.errors.ExitCode`, if `arguments` are given.
    """
    args = list(sys.argv[1:] if arguments is None else arguments)
    own = args[: args.index("--")] if "--" in args else args
    debug = "--debug" in own
    if debug:
        args.remove("--debug")
    elif not sys.warnoptions:
        warnings.simplefilter("ignore")  # of Pillow and NumPy, about pictures: no use to a user
    # Before NumPy is imported: pictures and their tiles are worked on side by side, each by one
    # thread; BLAS threads inside them would wait for each other and burn the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_missing_streams()
    _end_on_signals()
    if len(args) > 1 and Path(args[1]).suffix.lower() in PICTURE_SUFFIXES:
        decode_ahead(str(Path(args[1])), DIGIT_PIXELS if args[0] == "predict" else None)
    code = _run(args, debug)
    if arguments is None or code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        _leave(code)
    sys.exit(code)


def _end_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and a closed terminal end the process, wherever it is.

    The handler leaves at once. An exception instead would rise wherever the main thread is, and
    one that rises in the midst of an import leaves its lock taken: the other threads, which import
    Pillow and NumPy's parts, then wait for ever.
    """

    def end(number: int, _frame: object) -> None:
        interrupted = number == signal.SIGINT
        word = b"interrupted" if interrupted else b"terminated"
        # Past Python's streams: the main thread may be in the midst of writing to one of them.
        cursor = b"\x1b[?25h\n" if sys.stderr.isatty() else b""  # a progress bar hides it
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), cursor + b"error: " + word + b"\n")
        _leave(ExitCode.INTERRUPTED if interrupted else ExitCode.TERMINATED)

    signal.signal(signal.SIGINT, end)
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):  # whichever this system has
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, end)


def _open_missing_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr (``>&-``) empty ones.

    Otherwise the next file that is opened becomes its stdout.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # for names that a console has no letters for


def _leave(code: int) -> NoReturn:
    """Exit without waiting for threads that work on pictures, and leave no temporary file.

    Nor is the interpreter taken down, which takes 0.8 s once torch is loaded: what is written is
    written, and the system frees the rest.
    """
    remove_unfinished()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stream.flush()
    os._exit(code)


def _run(args: list[str], debug: bool) -> int:
    # A shell that completes a line sends it in the environment.
    words = args or os.environ.get("COMP_WORDS", "").split()[1:]
    try:
        app = build_app(words[:1])
        if not gc.isenabled():  # the process begins, and has imported what it needs
            gc.freeze()
            gc.enable()
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
        # The reader has gone; what Python would flush at exit must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        return _fail(_line_of(error), ExitCode.ERROR, debug)
    return int(code or ExitCode.OK)


def _fail(line: str, code: ExitCode, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    with contextlib.suppress(OSError):  # stderr may be full or closed; the exit code still tells
        show_error(line)
    return code


def _usage_line(problem: Any) -> str:
    context = getattr(problem, "ctx", None)
    command = context.command_path if context else "cnncli"
    message = problem.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's
    refused = _refused_value(problem)
    if refused is not None and str(refused) not in message:
        message += f", not {refused}"
    return f"{message}; see {command} --help"


def _refused_value(problem: Any) -> Any:
    """Return the text that Typer could not turn into a value; its own message leaves it out."""
    errors = getattr(problem.__cause__, "errors", None)
    return errors()[0].get("input") if callable(errors) else None


def _line_of(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; use smaller pictures or --jobs 1"
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}; this is a fault of cnncli: see it with --debug"
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}; check the path, its permissions and the free space"
