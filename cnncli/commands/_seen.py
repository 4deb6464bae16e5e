"""One picture as a network sees it: what ``features`` and ``why`` begin with."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.batch.inputs import STDIN, Inputs
from cnncli.batch.outputs import OutputPaths, ProtectedFiles
from cnncli.checkpoint import Checkpoint
from cnncli.commands._weights import open_weights, weights_name
from cnncli.images import Picture, read_picture, to_uint8_rgb, write_picture
from cnncli.preprocess import Prepared, prepare, to_network_input
from cnncli.show.console import notice, warning
from cnncli.show.scale import rgb
from cnncli.show.text import percent, printable

Image = Annotated[
    str, typer.Argument(metavar="IMAGE", help="Picture file, or - for stdin.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says of a picture."""

    label: str
    index: int
    confidence: float

    def __str__(self) -> str:
        """Return ``7 with 99.8%``."""
        return f"{printable(self.label, 40)} with {percent(self.confidence)}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, a network, and what the network is shown of the picture.

    Parameters
    ----------
    source
        Path of the picture; ``-`` for stdin.
    picture
        As decoded.
    checkpoint, weights
        The network and the file that it is from.
    prepared
        What the network is shown, as pixels.
    network_input
        The same, normalised: float32 ``(C, H, W)``.
    """

    source: str
    picture: Picture
    checkpoint: Checkpoint
    weights: Path
    prepared: Prepared
    network_input: NDArray[np.float32]

    def pictures(self) -> list[tuple[str, NDArray[np.uint8]]]:
        """Return titles and RGB pixels of the file and of what the network is shown."""
        name = "stdin" if self.source == STDIN else Path(self.source).name
        shown = self.shown()
        size = f"{shown.shape[1]}x{shown.shape[0]}"
        return [
            (printable(name, 30), to_uint8_rgb(self.picture)),
            (f"what the network is shown, {size}", shown),
        ]

    def shown(self) -> NDArray[np.uint8]:
        """Return what the network is shown as RGB pixels ``(H, W, 3)``."""
        return rgb(self.prepared.pixels)

    def nothing(self) -> NDArray[np.float32]:
        """Return what stands for "nothing is here", normalised, one value a channel.

        Black is the empty paper of a digit; of a photograph it is the mean, normalised to 0.
        """
        prepared = self.checkpoint.preprocessing
        if prepared.kind != "digit":
            return np.zeros(prepared.channels, np.float32)
        black = np.zeros((1, 1, 1, prepared.channels), np.uint8)
        return to_network_input(black, prepared)[0, :, 0, 0]

    def answer(self, probabilities: NDArray[np.float32], index: int | None = None) -> Answer:
        """Return a class and its probability, by default the most probable one."""
        index = int(probabilities.argmax()) if index is None else index
        return Answer(self.checkpoint.classes[index], index, float(probabilities[index]))

    def refuse(self, target: Path) -> None:
        """Raise ImageWriteError if `target` is the picture or the weights."""
        ProtectedFiles(f"{self.source}\0{self.weights}").refuse(target)

    def write(self, pixels: NDArray[np.uint8], output: str | None, what: str) -> str:
        """Write a sheet to ``--output``, or beside the picture as ``<stem>_<what>.png``.

        Returns
        -------
        str
            Where it was written; ``-`` for stdout.
        """
        outputs = OutputPaths(Inputs([self.source]), output, what)
        outputs.make_folder()
        sheet = Picture(pixels, None, "RGB", {"format": "PNG"})
        # Whatever the picture's own format, a sheet of small squares is kept without loss.
        named = self.source if self.source == STDIN else str(Path(self.source).with_suffix(".png"))
        target, name = outputs.path_for(named, sheet)
        write_picture(target, sheet, name)
        return target


def read_one(image: str, weights: Path | None, max_pixels: int, *, quiet: bool) -> Seen:
    """Read a picture and the weights, say which these are, and prepare the picture for them.

    Raises
    ------
    ImageReadError, CheckpointError
        If one of them cannot be read.
    """
    checkpoint, path, reason = open_weights(weights)
    picture = read_picture(image, max_pixels=max_pixels)
    prepared = prepare(picture, checkpoint.preprocessing)
    notice(f"weights: {weights_name(path)} ({reason})", quiet=quiet)
    for doubt in prepared.warnings:
        warning(f"{image}: {doubt}")
    batch = to_network_input(prepared.pixels[None], checkpoint.preprocessing)
    return Seen(image, picture, checkpoint, path, prepared, batch[0])


def wants_show(show: bool | None, plain: bool, target: str) -> bool:
    """Return whether to draw in the terminal: as asked, else where stdout is one.

    Parameters
    ----------
    show
        ``--show`` or ``--no-show``, if given.
    plain
        Whether stdout is for machines (``--json``) or the user wants quiet.
    target
        Where the picture went; ``-`` leaves no room for anything else on stdout.
    """
    if show is not None or plain or target == "-":
        return bool(show) and target != "-"
    return sys.stdout.isatty()
