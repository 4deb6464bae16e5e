"""Errors that a user can mend, and the exit codes they lead to.

Every message has the form ``<what, with the offending value>; <the way out>``. Only
:mod:`cnncli.cli` turns an error into a line on stderr and an exit code.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells the shell."""

    OK = 0
    ERROR = 1
    USAGE = 2
    PARTIAL = 3  # some inputs of a batch failed, the rest are done
    INTERRUPTED = 130  # 128 + SIGINT
    TERMINATED = 143  # 128 + SIGTERM: what a shell reports of a process that SIGTERM ended


class CnncliError(Exception):
    """Base of all expected errors; its text is one line for the user."""

    exit_code = ExitCode.ERROR


class UsageError(CnncliError):
    """The command line itself is wrong: an option's value or a combination."""

    exit_code = ExitCode.USAGE


class BatchError(CnncliError):
    """Some inputs of a batch failed; the others are done."""

    exit_code = ExitCode.PARTIAL


class ImageReadError(CnncliError):
    """A picture cannot be found, opened or decoded."""


class ImageWriteError(CnncliError):
    """A picture cannot be written, or its format cannot hold the result."""


class ShapeError(CnncliError, ValueError):
    """Sizes do not fit: kernel, stride, dilation, window or picture."""


class KernelError(CnncliError, ValueError):
    """A kernel's name, text or file cannot be understood."""


class CheckpointError(CnncliError):
    """A weights file is missing, broken, or not what it should be."""


class DataError(CnncliError):
    """A data set is missing, broken or unusable for training."""


class DeviceError(CnncliError):
    """A requested compute device or engine is not available."""


def failure_of(name: str, error: Exception) -> CnncliError:
    """Return an error as the failure of one input, so that it does not end a whole batch.

    Parameters
    ----------
    name
        The input; it is put in front of a message that names no file.
    error
        What was raised; also what nobody foresaw.
    """
    if isinstance(error, ImageReadError | ImageWriteError):
        return error
    if isinstance(error, CnncliError):
        return error if name in str(error) else type(error)(f"{name}: {error}")
    if isinstance(error, MemoryError):
        return CnncliError(f"{name} needs more memory than there is; scale it down or use --jobs 1")
    if isinstance(error, OSError):
        return CnncliError(f"{name}: {error.strerror or error}; check the path")
    failure = CnncliError(
        f"{name}: {type(error).__name__}: {error}; this is a fault of cnncli: see it with --debug"
    )
    failure.__cause__ = error
    return failure
