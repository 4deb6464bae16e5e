"""What becomes of predictions beside being shown: files written, pictures labelled, sorted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cnncli.commands._outputs import Inputs
from cnncli.errors import CnncliError, failure_of
from cnncli.inputs import STDIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.inference.predict import Prediction


class Sink(Protocol):
    """Something that takes predictions."""

    def take(self, prediction: "Prediction") -> None:
        """Take one prediction that is no error.

        Raises
        ------
        CnncliError, OSError
            If that fails.
        """


def hand_over(prediction: "Prediction", sinks: Sequence[Sink]) -> CnncliError | None:
    """Give a prediction to all sinks; return the first failure as an error of this input."""
    failures = []
    for sink in sinks:
        try:
            sink.take(prediction)
        except (CnncliError, OSError) as error:
            failures.append(failure_of(str(prediction.path), error))
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

    def __init__(self, folder: Path, inputs: Sequence[Path], what: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._what = folder, what
        self._inputs = Inputs(inputs)
        self._names: dict[str, int] = {}

    def write(self, source: Path, pixels: "NDArray[np.uint8]") -> None:
        """Write pixels ``(H, W)`` or ``(H, W, 3)`` for an input."""
        from cnncli.images import Picture, write_picture

        stem = "stdin" if source == STDIN else source.stem
        number = self._names[stem] = self._names.get(stem, 0) + 1
        name = f"{stem}_{self._what}{'' if number == 1 else f'_{number}'}.png"
        self._inputs.refuse(self._folder / name)
        write_picture(self._folder / name, Picture(pixels, mode="L" if pixels.ndim == 2 else "RGB"))


class SeenSink(PictureFolder):
    """Writes what the network was shown."""

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        super().__init__(folder, inputs, "seen")

    def take(self, prediction: "Prediction") -> None:
        """Write the prepared pixels."""
        if prediction.prepared is not None:
            pixels = prediction.prepared.pixels
            self.write(prediction.path, pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


class LabelSink(PictureFolder):
    """Writes each picture with its label, and a frame around what was read."""

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        super().__init__(folder, inputs, "labelled")

    def take(self, prediction: "Prediction") -> None:
        """Read the picture again and draw on it."""
        from cnncli.images import read_picture, to_uint8_rgb
        from cnncli.show.annotate import annotated

        pixels = to_uint8_rgb(read_picture(prediction.path))
        text = f"{prediction.label}  {prediction.top[0].confidence:.0%}"
        self.write(prediction.path, annotated(pixels, text, prediction.boxes))


class SortSink:
    """Copies or moves each picture into the folder of its class.

    Parameters
    ----------
    root
        Where the class folders are.
    move
        Move instead of copying.
    """

    def __init__(self, root: Path, move: bool) -> None:
        self._root, self._move = root, move

    def take(self, prediction: "Prediction") -> None:
        """Put the picture into its folder."""
        from cnncli.commands._sorting import class_folder, put

        put(prediction.path, class_folder(self._root, str(prediction.label)), move=self._move)
