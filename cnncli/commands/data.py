"""``cnncli data``: which data sets are here, fetch them, check them."""

from typing import Annotated, Literal

import typer

from cnncli.config import data_folder
from cnncli.errors import UsageError
from cnncli.show.console import result

Action = Literal["list", "download", "verify", "path"]


def data(
    action: Annotated[
        Action,
        typer.Argument(help="list: what is here; download; verify: read it through; path."),
    ] = "list",
    name: Annotated[
        str | None, typer.Argument(help="Data set to download or verify.", show_default=False)
    ] = None,
) -> None:
    """List, fetch and check the named data sets.

    Example: cnncli data list

    Example: cnncli data download mnist

    Example: cnncli data verify digits
    """
    if action == "path":
        result(str(data_folder()))
    elif action == "list":
        _list()
    else:
        _open(action, name)


def _list() -> None:
    from cnncli.nn.datasets import NAMES, is_here

    for name in NAMES:
        place = "comes with scikit-learn" if name == "digits" else is_here(name, data_folder())
        result(f"{name:14} {place or 'not here: cnncli data download ' + name}")


def _open(action: Action, name: str | None) -> None:
    from cnncli.nn.datasets import NAMES, is_here, open_data

    if name not in NAMES:
        raise UsageError(f"data set {name!r} is unknown; name one of: {', '.join(NAMES)}")
    if action == "verify" and name != "digits" and is_here(name, data_folder()) is None:
        raise UsageError(f"{name} is not here; fetch it with: cnncli data download {name}")
    found = open_data(name, data_folder())
    channels, height, width = found.train.images.shape[1:]
    result(
        f"{name}: {len(found.train):,} training and {len(found.load_test()):,} test pictures of "
        f"{len(found.classes)} classes, {height}x{width}x{channels}"
    )
