"""Objects behind URLs (``s3://``, ``gs://``, ``https://``, ``memory://``, …), through fsspec.

That is the extra ``cloud``; nothing of it is imported before a URL is named. Credentials and
endpoints are those of the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, …).
"""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from cnncli.errors import CnncliError, ImageReadError, ImageWriteError
from cnncli.files import PICTURE_SUFFIXES

Outcome = TypeVar("Outcome")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PAUSES = (0.2, 1.0)  # seconds before each further try


def is_url(name: str) -> bool:
    """Say whether a name is a URL.

    >>> is_url("s3://bucket/a.png"), is_url("C:/a.png")
    (True, False)
    """
    return _URL.match(name) is not None


def read_object(url: str) -> bytes:
    """Return a whole object.

    Raises
    ------
    ImageReadError
        If there is none, it may not be read, or the connection fails each time.
    """
    return _tried(url, lambda files, path: bytes(files.cat_file(path)), ImageReadError)


def write_object(url: str, data: bytes) -> None:
    """Write a whole object: stores show it once it is complete.

    Raises
    ------
    ImageWriteError
        If it may not be written, or the connection fails each time.
    """
    _tried(url, lambda files, path: files.pipe_file(path, data), ImageWriteError)


def names_in(folder: str) -> list[str]:
    """Return the names of the objects directly in a folder; none if there is no such folder.

    Raises
    ------
    ImageReadError
        If it may not be listed.
    """

    def listed(files: Any, path: str) -> list[str]:
        try:
            found = files.ls(path, detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return [str(name).rstrip("/").rpartition("/")[2] for name in found]

    return _tried(folder, listed, ImageReadError)


def expand_url(url: str, *, recursive: bool) -> list[str]:
    """Return the URLs of the pictures that a folder or a pattern stands for, else the URL itself.

    Raises
    ------
    ImageReadError
        If a folder holds no picture, or a pattern matches nothing.
    """

    def expanded(files: Any, path: str) -> list[str]:
        if "*" in path:
            found = files.glob(path)
        elif _suffix(path) in PICTURE_SUFFIXES or not files.isdir(path):
            return [url]
        else:
            found = files.find(path, maxdepth=None if recursive else 1)
            found = [name for name in found if _suffix(name) in PICTURE_SUFFIXES]
        return [str(files.unstrip_protocol(name)) for name in found]

    names = _tried(url, expanded, ImageReadError)
    if not names:
        way_out = "" if recursive else ", or add --recursive for those below"
        raise ImageReadError(f"{url} holds no pictures; name a folder that does{way_out}")
    return names


def _suffix(path: str) -> str:
    return "." + path.rpartition(".")[2].lower()


def _tried(url: str, work: Callable[[Any, str], Outcome], kind: type[CnncliError]) -> Outcome:
    """Do something with a file system and a path in it; twice again where a connection fails."""
    files, path = _file_system(url, kind)
    for pause in (*_PAUSES, None):
        try:
            return work(files, path)
        except FileNotFoundError:
            raise kind(f"{url}: no such object, bucket or folder; check the name") from None
        except PermissionError as error:
            raise kind(f"{url}: access denied ({error}); check the credentials") from None
        except Exception as error:  # each store has its own kinds
            if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                raise kind(
                    f"{url}: there are no credentials; set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or log in"
                ) from None
            if pause is None:
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                raise kind(f"{url}: {reason}; check the connection and try again") from None
            time.sleep(pause)
    raise AssertionError("unreachable")


def _file_system(url: str, kind: type[CnncliError]) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url)
    except ImportError as error:
        raise kind(f"{url}: {error}; pip install 'cnncli[cloud]'") from None
    except ValueError as error:
        raise kind(f"{url}: {error}; check the beginning of the URL") from None
    return files, str(path)
