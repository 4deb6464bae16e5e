"""From ``--data`` to pictures in memory: named data sets, folders, and what is always there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from cnncli.config import (
    IMAGE_EDGE_LIMITS,
    MNIST_MEAN,
    MNIST_STD,
    PHOTO_EDGE_LIMITS,
    Fit,
    Preprocessing,
)
from cnncli.errors import DataError
from cnncli.nn import folders
from cnncli.nn.cache import cached
from cnncli.nn.cifar import Cifar10
from cnncli.nn.digits import load_digits
from cnncli.nn.download import download
from cnncli.nn.sources import SOURCES, IdxSource, Style, find_pair, read_pair
from cnncli.nn.splits import Split, require_classes, stratified

TEST_SHARE = 0.2  # held out for the test where a data set brings none
_TEST_SEED = 0  # the same pictures whatever the run's seed, so that evaluate sees the same test

NAMES = (*SOURCES, "cifar10", "digits")


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that training can start on.

    Parameters
    ----------
    name
        As ``--data`` named it.
    train
        Pictures to train on.
    load_test
        Returns the test part; called once, at the end.
    classes
        Names of the classes, by label.
    preprocessing
        What turns a picture file into such pictures.
    style
        Which augmentation fits.
    validation
        Pictures to choose by, or None if they are still part of `train`.
    notices
        What the user should know about it.
    extra
        What was added to `train` that is not of the data set, for the card.
    drawn
        Drawn digits to measure by, if such were added.
    others
        uint8 ``(N, C, H, W)``: what is none of the classes, to measure by.
    """

    name: str
    train: Split
    load_test: Callable[[], Split]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    style: Style
    validation: Split | None = None
    notices: tuple[str, ...] = ()
    extra: str = ""
    drawn: Split | None = None
    others: Tensor | None = None

    def split_validation(self, share: float, seed: int, limit: int | None = None) -> "DataSet":
        """Return the data set with a validation part, held out by class if there is none yet.

        Parameters
        ----------
        share
            Part of each class to hold out.
        seed
            Chooses which pictures.
        limit
            Use only so many of the pictures, drawn evenly from the classes.
        """
        train, validation = _limited(self.train, limit), self.validation
        require_classes(train, self.name, self.classes)
        if validation is None:
            kept, held = stratified(train.labels, share, seed)
            train, validation = train.take(kept), train.take(held)
        return replace(self, train=train, validation=validation)

    def join_validation(self, limit: int | None = None) -> "DataSet":
        """Return the data set with all pictures in `train`, for what is cross-validated.

        Parameters
        ----------
        limit
            As in :meth:`split_validation`.
        """
        parts = [self.train, *([self.validation] if self.validation else [])]
        images, labels = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels")
        )
        train = _limited(Split(images, labels), limit)
        require_classes(train, self.name, self.classes)
        return replace(self, train=train, validation=None)


def _limited(split: Split, limit: int | None) -> Split:
    if limit is None or limit >= len(split):
        return split
    _, held = stratified(split.labels, limit / len(split), _TEST_SEED)
    return split.take(held)


def open_data(
    name: str | None,
    root: Path,
    *,
    edge: int | None = None,
    strict: bool = False,
    photos: Fit | None = None,
) -> DataSet:
    """Open a data set.

    Parameters
    ----------
    name
        A name of `NAMES` or a folder; None takes MNIST if it can be had, else the digits.
    root
        The data folder.
    edge
        Height and width for folders of pictures; found from the pictures by default.
    strict
        Whether a broken file or an empty class is an error instead of a notice.
    photos
        What of a network that was trained on photographs shall be trained on a folder, if it is
        for such a one: pictures are as large as suits it, and grey ones have three channels.

    Raises
    ------
    DataError
        If there is no such data set, or it cannot be obtained or used.
    """
    if name is None:
        return _mnist_or_digits(root)
    if name == "digits":
        return _digits()
    if name in NAMES:
        return _named(_source(name), root)
    folder = Path(name).expanduser().resolve()  # the name that a resumed run finds it by
    if not folder.is_dir():
        raise DataError(
            f"--data {name} is neither a folder nor a data set; known: {', '.join(NAMES)}"
        )
    if pair := find_pair(folder, "train"):
        return _idx_folder(folder, pair)
    return _class_folder(folder, edge, strict, root, photos)


def shows_photographs(name: str | None) -> bool:
    """Tell whether a data set is of photographs: in colour, or larger than digits are."""
    if name is None or name in NAMES:
        return name == "cifar10"
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir() or find_pair(folder, "train"):
        return False
    train = folders.part_folders(folder)["train"]
    listing, _ = folders.list_part(train, folders.list_classes(train)[0])
    side, channels = folders.find_format(listing)
    return channels == 3 or side > IMAGE_EDGE_LIMITS[1]


def _mnist_or_digits(root: Path) -> DataSet:
    try:
        return _named(SOURCES["mnist"], root)
    except DataError as error:
        reason = (
            f"{error}. Training on scikit-learn's 1,797 digits instead: a first run, no more; "
            "they teach far less than MNIST"
        )
        data = _digits()
        return replace(data, notices=(reason, *data.notices))


def _digits() -> DataSet:
    everything = load_digits()
    kept, held = stratified(everything.labels, TEST_SHARE, _TEST_SEED)
    return DataSet(
        "digits",
        everything.take(kept),
        lambda: everything.take(held),
        tuple("0123456789"),
        Preprocessing(),
        "digit",
    )


def _source(name: str) -> IdxSource | Cifar10:
    return Cifar10() if name == "cifar10" else SOURCES[name]


def _named(source: IdxSource | Cifar10, root: Path) -> DataSet:
    if source.find(root) is None:
        download(source, root)
    train = source.read(root, "train")
    return DataSet(
        source.name,
        train,
        partial(source.read, root, "test"),
        source.classes,
        _preprocessing(train, is_digits=source.classes == SOURCES["mnist"].classes),
        source.style,
    )


def is_here(name: str, root: Path) -> str | None:
    """Return where a named data set is, None if it is not on this machine or there is none such."""
    if name == "digits":
        return "comes with scikit-learn"
    folder = _source(name).find(root) if name in NAMES else None
    return str(folder) if folder else None


def _preprocessing(train: Split, *, is_digits: bool) -> Preprocessing:
    channels, height, width = train.images.shape[1:]
    if is_digits and (height, width) == (28, 28):
        return Preprocessing()
    mean, std = _statistics(train.images)
    return Preprocessing("resize", height, width, channels, mean, std)


def _statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel for pixels in [0, 1]."""
    mean, std = [], []
    grey = torch.arange(256, dtype=torch.float64) / 255
    for channel in images.unbind(1):
        shares = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        average = float(shares @ grey)
        spread = float(shares @ (grey - average) ** 2) ** 0.5
        mean.append(round(average, 4))
        std.append(round(max(spread, 1e-3), 4))  # a blank channel must not divide by 0
    return tuple(mean), tuple(std)


def _idx_folder(folder: Path, pair: tuple[Path, Path]) -> DataSet:
    train, test_pair = read_pair(pair), find_pair(folder, "test")
    count = int(train.labels.max()) + 1
    data = DataSet(
        str(folder),
        train,
        lambda: read_pair(test_pair) if test_pair else train,
        tuple(str(label) for label in range(count)),
        _preprocessing(train, is_digits=_is_mnist(train)),
        "digit",
    )
    return data if test_pair else _hold_out_test(data)


def _is_mnist(train: Split) -> bool:
    """Tell MNIST's statistics; other sets of 28x28 pictures are no digits to normalise."""
    mean, std = _statistics(train.images)
    near = abs(mean[0] - MNIST_MEAN) < 0.01 and abs(std[0] - MNIST_STD) < 0.01
    return near and int(train.labels.max()) == 9


def _hold_out_test(data: DataSet) -> DataSet:
    # Of every class two are left, without which it cannot be trained on.
    kept, held = stratified(data.train.labels, TEST_SHARE, _TEST_SEED, least=2)
    test = data.train.take(held)
    notice = f"{data.name} has no test part: {TEST_SHARE:.0%} of each class is held out as one"
    return replace(
        data,
        train=data.train.take(kept),
        load_test=lambda: test,
        notices=(*data.notices, notice),
    )


def _class_folder(
    folder: Path, edge: int | None, strict: bool, root: Path, photos: Fit | None
) -> DataSet:
    parts = folders.part_folders(folder)
    classes, notices = folders.list_classes(parts["train"])
    listing, _ = folders.list_part(parts["train"], classes)
    side, channels = folders.find_format(listing)
    size = edge or folders.fit_edge(
        side, PHOTO_EDGE_LIMITS[photos] if photos else IMAGE_EDGE_LIMITS
    )
    channels = 3 if photos else channels
    blank = folders.plain_format(size, channels)

    def read(part: str) -> tuple[Split, list[str]]:
        listed, others = folders.list_part(parts[part], classes)
        split, broken = cached(parts[part], listed, blank, root)
        return split, others + [f"skipped: {reason}" for _, reason in broken]

    train, problems = read("train")
    if strict and (notices or problems):
        raise DataError(f"--strict: {(notices + problems)[0]}")
    require_classes(train, str(folder), classes)
    validation = read("validation")[0] if "validation" in parts else None
    data = DataSet(
        str(folder),
        train,
        lambda: read("test")[0],
        classes,
        _preprocessing(train, is_digits=False),
        "photo" if channels == 3 else "digit",
        validation,
        (*notices, *problems),
    )
    return data if "test" in parts else _hold_out_test(data)
