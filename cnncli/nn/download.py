"""Downloads through torchvision, which give up soon where there is no network."""

import contextlib
import io
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from cnncli.errors import DataError
from cnncli.nn.cifar import Cifar10
from cnncli.nn.sources import IdxSource

PROBE_SECONDS = 8.0  # name resolution, connection and answer, all mirrors at once
STALL_SECONDS = 10.0  # a download that sends nothing for so long has failed


def download(source: IdxSource | Cifar10, root: Path) -> None:
    """Fetch a named data set into the data folder.

    torchvision checks the hashes of what it fetches.

    Parameters
    ----------
    source
        The data set.
    root
        The data folder.

    Raises
    ------
    DataError
        If no mirror answers within about ten seconds, the transfer fails, or torchvision does
        not work here.
    """
    advice = source.advice(root)
    class_name, arguments = source.torchvision
    dataset = getattr(import_torchvision(advice).datasets, class_name)
    with attempt(source.name, _addresses(dataset), root, advice):
        dataset(root, download=True, **arguments)


def import_torchvision(advice: str) -> Any:
    """Return torchvision, which fails to load where it and torch do not match.

    Raises
    ------
    DataError
        If it does not work here; `advice` says how to go on without it.
    """
    try:
        import torchvision
        import torchvision.datasets
    except (ImportError, OSError, RuntimeError) as error:
        raise DataError(
            f"torchvision does not work here ({error}); install the pair again with "
            f"pip install --upgrade torch torchvision, or {advice}"
        ) from error
    return torchvision


@contextlib.contextmanager
def attempt(name: str, addresses: list[str], root: Path, advice: str) -> Iterator[None]:
    """Let what runs inside download something; its failure becomes one line.

    Parameters
    ----------
    name
        What is downloaded.
    addresses
        Where it is; one of them must answer before anything starts.
    root
        Where it goes; made if it is not there.
    advice
        What else could be done.

    Raises
    ------
    DataError
        If no address answers, or the download fails.
    """
    if not reachable(addresses):
        raise DataError(f"{name} is not on this machine and no mirror answers; {advice}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _stall_timeout(), contextlib.redirect_stdout(io.StringIO()):
            yield
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(f"the download of {name} failed ({error}); {advice}") from error


def _addresses(dataset: object) -> list[str]:
    mirrors = [str(url) for url in getattr(dataset, "mirrors", [])]
    single = getattr(dataset, "url", None)
    return [str(single)] if single else mirrors


def reachable(addresses: list[str], seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether one of the addresses answers in time, in whatever words.

    Parameters
    ----------
    addresses
        URLs to try, all at once.
    seconds
        Time for all of them together.
    """
    answers: SimpleQueue[bool] = SimpleQueue()

    def ask(address: str) -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (torchvision's)
            with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
                answers.put(True)
        except urllib.error.HTTPError:
            answers.put(True)  # a mirror need not list its folder
        except (OSError, ValueError):
            answers.put(False)

    # Threads, because name resolution knows no timeout; daemons, because it may outlast us.
    for address in addresses:
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    deadline = time.monotonic() + seconds
    try:
        return any(answers.get(timeout=max(0, deadline - time.monotonic())) for _ in addresses)
    except Empty:
        return False


@contextlib.contextmanager
def _stall_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)  # torchvision passes no timeout of its own
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
