"""What becomes of predictions beside being shown: files written, pictures labelled, sorted."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.batch.inputs import STDIN
from cnncli.batch.outputs import ProtectedFiles
from cnncli.batch.sorting import class_folder, put
from cnncli.errors import CnncliError, failure_of
from cnncli.images import Picture, to_uint8_rgb, write_picture
from cnncli.inference.predict import Prediction
from cnncli.show.annotate import annotated

Sink = Callable[[Prediction], None]


def hand_over(prediction: Prediction, sinks: Sequence[Sink]) -> CnncliError | None:
    """Give a prediction to all sinks; return the first failure as an error of this input."""
    failures = []
    for sink in sinks:
        try:
            sink(prediction)
        except (CnncliError, OSError) as error:
            failures.append(failure_of(prediction.path, error))
    return failures[0] if failures else None


class PictureFolder:
    """Writes pictures under names that no other picture of the run has, and that are no input.

    Parameters
    ----------
    folder
        Made if it is missing.
    inputs
        Never overwritten.
    what
        Goes into the names: ``photo.jpg`` and ``seen`` give ``photo_seen.png``.
    """

    def __init__(self, folder: Path, inputs: Sequence[str], what: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._what = folder, what
        self._protected = ProtectedFiles(inputs)
        self._names: dict[str, int] = {}

    def write(self, source: str, pixels: NDArray[np.uint8]) -> None:
        """Write pixels ``(H, W)`` or ``(H, W, 3)`` for an input."""
        stem = "stdin" if source == STDIN else Path(source).stem
        number = self._names[stem] = self._names.get(stem, 0) + 1
        name = f"{stem}_{self._what}{'' if number == 1 else f'_{number}'}.png"
        self._protected.refuse(self._folder / name)
        write_picture(self._folder / name, Picture(pixels, mode="L" if pixels.ndim == 2 else "RGB"))


def write_seen(folder: PictureFolder, prediction: Prediction) -> None:
    """Write what the network was shown."""
    if prediction.prepared is not None:
        pixels = prediction.prepared.pixels
        folder.write(prediction.path, pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def write_labelled(
    folder: PictureFolder, read: Callable[[str], Picture], prediction: Prediction
) -> None:
    """Read the picture again and write it with its label, and a frame around what was read."""
    text = f"{prediction.label}  {prediction.top[0].confidence:.0%}"
    pixels = to_uint8_rgb(read(prediction.path))
    folder.write(prediction.path, annotated(pixels, text, prediction.boxes))


def sort_by_class(root: Path, move: bool, prediction: Prediction) -> None:
    """Copy or move the picture into the folder of its class."""
    put(Path(prediction.path), class_folder(root, str(prediction.label)), move=move)
