"""Count how many pictures of each kind are read right, wrong without a flag, and flagged.

Real pictures come from a folder of ZIP files, one a kind, each file in it named
``LABEL_NUMBER.ext`` (``none`` where there is no digit): ``CNNCLI_STRANGERS``, or ``strangers``
beside the data of the tests. The others are made by the generators of ``tests/``. Every picture
goes through the library as ``cnncli predict`` sends it.

    python benchmarks/reading.py                      # all kinds
    python benchmarks/reading.py --every 5 semeion    # each fifth picture of one kind
    python benchmarks/reading.py --set locate.WEIGHT=0.3,0.5   # a sweep of one constant
    python benchmarks/reading.py --mistakes wrong.png "ruled cell"   # what is read wrong, drawn
"""

import argparse
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # for tests/; an installed cnncli comes first

from cnncli.checkpoint import read_checkpoint  # noqa: E402
from cnncli.images import Picture, read_picture  # noqa: E402
from cnncli.inference.engine import load_engine  # noqa: E402
from cnncli.inference.predict import Prediction, Predictor  # noqa: E402
from cnncli.nn.idx import read_idx  # noqa: E402
from cnncli.preprocess import pixels_needed  # noqa: E402
from cnncli.resources import sample_image, shipped_weights  # noqa: E402
from cnncli.show.scale import rgb  # noqa: E402
from cnncli.show.sheet import filter_sheet  # noqa: E402
from tests import handed, nondigits, numbers, photographs  # noqa: E402

SHARED = ROOT.parent / "shared"
NONE = "none"
NUMBERS = ("numbers", "touching numbers", "displays")
Source = bytes | NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """A picture, encoded or as an array, and what it shows."""

    source: Source
    label: str


@dataclass(frozen=True)
class Count:
    """What became of the pictures of one kind."""

    total: int
    right: int
    silent: int  # wrong without a flag
    flagged: int
    seconds: float


def folder(variable: str, name: str) -> Path:
    """Return a data folder that an environment variable names, or the one beside the repository."""
    beside = [parent / "shared" / name for parent in ROOT.parents]
    return Path(os.environ.get(variable, next((p for p in beside if p.exists()), SHARED / name)))


def strangers(every: int) -> dict[str, Callable[[], list[Example]]]:
    """Return the real pictures, by kind."""
    home = folder("CNNCLI_STRANGERS", "strangers")

    def read(path: Path) -> list[Example]:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())[::every]
            return [Example(archive.read(name), Path(name).stem.split("_")[0]) for name in names]

    return {path.stem: lambda path=path: read(path) for path in sorted(home.glob("*.zip"))}


def mnist() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return MNIST's test set."""
    home = folder("CNNCLI_TEST_MNIST", "mnist")
    return tuple(
        read_idx(home / f"t10k-{part}.gz") for part in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )


def photographs_of(manner: str, every: int) -> list[Example]:
    """Return photographs as tests/test_reading.py makes them."""
    images, labels = mnist()
    chosen = np.random.default_rng(2026).permutation(len(images))[:2010]
    manners = list(photographs.MANNERS)
    found = []
    for number in range(manners.index(manner), len(chosen), len(manners) * every):
        index = chosen[number]
        photo = photographs.photograph(images[index], manner, np.random.default_rng([2026, number]))
        found.append(Example(photo.data, str(labels[index])))
    return found


def numbers_of(picture: Callable[..., NDArray[np.uint8]], count: int, every: int) -> list[Example]:
    """Return numbers of 2 to 6 MNIST test digits."""
    images, labels = mnist()
    found = []
    for number in range(0, count, every):
        random = np.random.default_rng([7, number])
        chosen = random.integers(0, len(images), random.integers(2, 7))
        shown = picture(list(images[chosen]), random)
        found.append(Example(shown, "".join(map(str, labels[chosen]))))
    return found


def handed_of(manner: str, number: int) -> list[Example]:
    """Return digits as tests/handed.py makes them, of MNIST test digits."""
    images, labels = mnist()
    found = []
    for index in range(number):
        random = np.random.default_rng([13, index])
        chosen = int(random.integers(len(images)))
        shown = handed.MANNERS[manner](images[chosen], random)
        found.append(Example(shown, str(handed.ONLY.get(manner, labels[chosen]))))
    return found


def displays(number: int) -> list[Example]:
    """Return displays of 3 to 6 digits with a point, labelled with it."""
    found = []
    for index in range(number):
        random = np.random.default_rng([17, index])
        digits = "".join(map(str, random.integers(0, 10, random.integers(3, 7))))
        point = int(random.integers(1, len(digits)))
        text = f"{digits[:point]}.{digits[point:]}"
        found.append(Example(numbers.display_picture(text, random), text))
    return found


def kinds(every: int) -> dict[str, Callable[[], list[Example]]]:
    """Return all kinds of pictures, made when they are asked for."""
    found = strangers(every)
    for manner in photographs.MANNERS:
        found[manner] = lambda manner=manner: photographs_of(manner, every)
    home = sample_image("scene.png").parent
    found["samples"] = lambda: [
        Example(path.read_bytes(), path.name[6]) for path in sorted(home.glob("digit-*"))
    ]
    found["mnist"] = lambda: [
        Example(image, str(label)) for image, label in zip(*mnist(), strict=True)
    ][::every]
    for name in ("letters", "shapes", "noise"):
        found[name] = lambda name=name: [
            Example(p, NONE) for p in getattr(nondigits, name)(300, np.random.default_rng(1))
        ][::every]
    photos = folder("CNNCLI_TEST_PHOTOS", "cifar10-sample")
    found["pieces of photographs"] = lambda: [
        Example(p, NONE) for p in nondigits.photograph_crops(photos, 300, np.random.default_rng(1))
    ][::every]
    for manner in handed.MANNERS:
        found[manner] = lambda manner=manner: handed_of(manner, 300)[::every]
    found["empty cells"] = lambda: [
        Example(handed.empty_cell(np.random.default_rng([3, number])), NONE)
        for number in range(0, 300, every)
    ]
    found["numbers"] = lambda: numbers_of(numbers.number_picture, 200, every)
    found["touching numbers"] = lambda: numbers_of(numbers.touching_picture, 200, every)
    found["displays"] = lambda: displays(100)[::every]
    return found


def decoded(source: Source) -> Picture:
    """Return an array, or a file in memory as the library reads it."""
    if isinstance(source, np.ndarray):
        return Picture(source)
    with tempfile.NamedTemporaryFile() as file:
        file.write(source)
        file.flush()
        return read_picture(file.name)


def predict(predictor: Predictor, examples: list[Example]) -> tuple[list[Prediction], float]:
    """Predict examples as files or as arrays; return the seconds that it took, too."""
    arrays = {}
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{folder}/{number}" for number in range(len(examples))]
        for name, example in zip(names, examples, strict=True):
            if isinstance(example.source, np.ndarray):
                arrays[name] = Picture(example.source)
            else:
                Path(name).write_bytes(example.source)
        enough = pixels_needed(predictor.checkpoint.preprocessing)
        asked = replace(
            predictor, read=lambda name: arrays.get(name) or read_picture(name, enough=enough)
        )
        start, found = time.perf_counter(), []
        for at in range(0, len(names), asked.chunk):
            found.extend(asked(names[at : at + asked.chunk]))
        return found, time.perf_counter() - start


def count(predictor: Predictor, examples: list[Example]) -> tuple[Count, list[Prediction]]:
    """Predict the pictures of one kind, and count."""
    found, seconds = predict(predictor, examples)
    right = silent = flagged = 0
    for example, prediction in zip(examples, found, strict=True):
        flag = bool(prediction.warnings) or prediction.error is not None
        read = getattr(prediction, "text", None) if "." in example.label else prediction.label
        good = flag if example.label == NONE else read == example.label
        right += good
        flagged += flag
        silent += not good and not flag
    return Count(len(examples), right, silent, flagged, seconds), found


def table(predictor: Predictor, chosen: dict[str, list[Example]]) -> dict[str, Count]:
    """Print one line a kind and return the counts."""
    print(f"{'kind':26} {'n':>6} {'right':>8} {'silent':>7} {'flagged':>8} {'ms each':>8}")
    counts = {}
    for kind, examples in chosen.items():
        asked = replace(predictor, numbers=kind in NUMBERS)
        counts[kind] = found = count(asked, examples)[0]
        n = max(found.total, 1)
        print(
            f"{kind:26} {n:6} {found.right / n:8.2%} {found.silent:7} {found.flagged / n:8.2%}"
            f" {1000 * found.seconds / n:8.2f}",
            flush=True,
        )
    return counts


def draw_mistakes(predictor: Predictor, chosen: dict[str, list[Example]], path: Path) -> None:
    """Draw what is read wrong, each picture under what it shows and what was read."""
    tiles = []
    for kind, examples in chosen.items():
        asked = replace(predictor, numbers=kind in NUMBERS)
        for example, found in zip(examples, predict(asked, examples)[0], strict=True):
            if example.label not in (found.label, NONE):
                doubted = " ?" if found.warnings else ""
                shown = Image.fromarray(rgb(decoded(example.source).pixels))
                small = np.asarray(ImageOps.contain(shown, (110, 110)))
                tiles.append((f"{example.label} as {found.label or 'none'}{doubted}", small))
    Image.fromarray(filter_sheet(tiles, 8)).save(path)


def sweep(predictor: Predictor, chosen: dict[str, list[Example]], text: str) -> None:
    """Print the table for each value of one constant of cnncli.preprocess."""
    name, values = text.split("=")
    module, constant = name.split(".")
    home = import_module(f"cnncli.preprocess.{module}")
    for value in map(float, values.split(",")):
        setattr(home, constant, type(getattr(home, constant))(value))
        print(f"{name} = {value}")
        table(predictor, chosen)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="all by default")
    parser.add_argument("--every", type=int, default=1, help="take each N-th picture only")
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    parser.add_argument("--set", help="MODULE.CONSTANT=VALUE,VALUE: one table for each value")
    parser.add_argument("--mistakes", type=Path, help="draw what is read wrong instead of counting")
    arguments = parser.parse_args()
    made = kinds(arguments.every)
    chosen = {name: made[name]() for name in arguments.kinds or made}
    checkpoint = read_checkpoint(arguments.weights)
    loaded = load_engine(checkpoint, "numpy")
    predictor = Predictor(checkpoint, loaded)
    if arguments.set:
        sweep(predictor, chosen, arguments.set)
    elif arguments.mistakes:
        draw_mistakes(predictor, chosen, arguments.mistakes)
    else:
        table(predictor, chosen)


if __name__ == "__main__":
    main()
