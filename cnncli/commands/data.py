"""``cnncli data``: which data sets are here, fetch them; what is wrong with a folder."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cnncli.commands._options import Json, Quiet
from cnncli.config import data_folder
from cnncli.errors import UsageError
from cnncli.show.console import notice, result

if TYPE_CHECKING:
    from cnncli.data_check import Checked, Finding

Action = Literal["list", "download", "verify", "path", "check"]

SHOWN = 10  # findings of each kind that are printed for people
ON_SHEET = 160
KINDS = {  # what people read above the findings of a kind, and of each
    "label": ("labels in doubt", "{label}: {suggested} is {odds:.0f} times likelier"),
    "leak": ("pictures that are in two parts", "as {of}"),
    "duplicate": ("copies of one picture", "as {of}"),
    "broken": ("broken or tiny pictures", "{reason}"),
    "few": ("classes with few pictures", "{pictures} pictures"),
}


def data(
    action: Annotated[
        Action,
        typer.Argument(
            help="list: what is here; download; verify: read it through; path; "
            "check: what is wrong with a folder of pictures."
        ),
    ] = "list",
    name: Annotated[
        str | None, typer.Argument(help="Data set to download or verify; folder to check.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With check: a sheet of what was found.")
    ] = None,
    move_to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="With check: move doubted labels, copies and broken pictures there."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List, fetch and check data sets and folders of pictures.

    Example: cnncli data list

    Example: cnncli data download mnist

    Example: cnncli data verify digits

    Example: cnncli data check my-pictures -o check.png
    """
    if action != "check" and (output or move_to or as_json):
        raise UsageError("--output, --move-to and --json go with: cnncli data check DIR")
    if action == "path":
        result(str(data_folder()))
    elif action == "list":
        _list()
    elif action == "check":
        _check(name, output, move_to, as_json, quiet)
    else:
        _open(action, name)


def _list() -> None:
    from cnncli.nn.datasets import NAMES, is_here

    for name in NAMES:
        place = is_here(name, data_folder()) or f"not here: cnncli data download {name}"
        result(f"{name:14} {place}")


def _open(action: Action, name: str | None) -> None:
    from cnncli.nn.datasets import NAMES, is_here, open_data

    if name not in NAMES:
        raise UsageError(f"data set {name!r} is unknown; name one of: {', '.join(NAMES)}")
    if action == "verify" and is_here(name, data_folder()) is None:
        raise UsageError(f"{name} is not here; fetch it with: cnncli data download {name}")
    found = open_data(name, data_folder())
    channels, height, width = found.train.images.shape[1:]
    result(
        f"{name}: {len(found.train):,} training and {len(found.load_test()):,} test pictures of "
        f"{len(found.classes)} classes, {height}x{width}x{channels}"
    )


def _check(
    name: str | None, output: Path | None, move_to: Path | None, as_json: bool, quiet: bool
) -> None:
    from cnncli.data_check import check_folder

    if name is None or not Path(name).expanduser().is_dir():
        raise UsageError(f"data check needs a folder with a sub-folder per class, not {name!r}")
    folder = Path(name).expanduser()
    checked = check_folder(folder, data_folder())
    moved = _move(checked.findings, move_to) if move_to else {}
    if as_json:
        for finding in checked.findings:
            line = {"kind": finding.kind, "path": str(finding.path), **finding.facts}
            new = {"moved_to": str(moved[finding.path])} if finding.path in moved else {}
            result(json.dumps(line | new, ensure_ascii=False))
    else:
        _print(checked)
    if output:
        _draw(checked, output, quiet)
    if move_to:
        notice(f"moved to {move_to}: {len(moved):,}", quiet=quiet)


def _print(checked: "Checked") -> None:
    counts: Counter[str] = Counter(finding.kind for finding in checked.findings)
    for kind, (title, words) in KINDS.items():
        if not counts[kind]:
            continue
        result(f"{title}: {counts[kind]:,}")
        shown = [finding for finding in checked.findings if finding.kind == kind][:SHOWN]
        for finding in shown:
            result(f"  {finding.path}  {words.format(**finding.facts)}")
        if counts[kind] > SHOWN:
            result(f"  and {counts[kind] - SHOWN:,} more: see --json or -o check.png")
    accuracy = checked.accuracy
    result(
        f"{len(checked.pixels):,} pictures; a head on half of them gets {accuracy['half']:.1%}, "
        f"on all {accuracy['all']:.1%}, on twice as many about {accuracy['twice']:.1%}"
    )


def _move(findings: Sequence["Finding"], target: Path) -> dict[Path, Path]:
    """Move the pictures that were found into a folder for each kind; return their new paths."""
    from cnncli.batch.sinks import class_folder, put

    moved: dict[Path, Path] = {}
    for finding in findings:
        if finding.kind != "few" and finding.path not in moved:
            place = class_folder(target / finding.kind, finding.path.parent.name)
            moved[finding.path] = put(finding.path, place, move=True)
    return moved


def _draw(checked: "Checked", output: Path, quiet: bool) -> None:
    import numpy as np

    from cnncli.images import Picture, write_picture
    from cnncli.show.evaluation import mistakes_sheet

    shown = [finding for finding in checked.findings if finding.rows][:ON_SHEET]
    if not shown:
        notice(f"{output} is not written: nothing was found", quiet=quiet)
        return
    # A copy stands beside its original.
    tiles = [np.concatenate([checked.pixels[row] for row in f.rows], axis=1) for f in shown]
    captions = [
        f"{f.facts['label']}: {f.facts['suggested']}?" if f.kind == "label" else f.kind
        for f in shown
    ]
    sheet = mistakes_sheet(tiles, captions)
    write_picture(output, Picture(sheet, mode="RGB"))
    notice(f"wrote {output}", quiet=quiet)
