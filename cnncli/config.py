"""What a network, its pictures and a training run are set to: the only home of defaults.

The three records are frozen, compare by value and turn into plain JSON types, so that a
checkpoint can carry them and prediction needs no flags.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

PreprocessingKind = Literal["digit", "resize", "none"]
RecipeName = Literal["fast", "plain"]
OptimizerName = Literal["adamw", "adam", "sgd", "muon", "muon-turn"]
ScheduleName = Literal["one-cycle", "linear", "constant"]
ExtraName = Literal["drawn"]
PrecisionName = Literal["auto", "fp32", "bf16"]
Fit = Literal["head", "all"]  # what of a pretrained network is trained

MNIST_MEAN = 0.1307  # of the 60,000 training images, pixels in [0, 1]
MNIST_STD = 0.3081

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of red, green and blue in [0, 1]: what those had seen
IMAGENET_STD = (0.229, 0.224, 0.225)

# Row and column of a picture with which its moved copies begin: one is moved down and to the left,
# the other up and to the right.
MOVES = ((-1, 1), (1, -1))

IMAGE_EDGE_LIMITS = (8, 64)  # pixels: sizes that folders of pictures are brought to by themselves
# The same for a network that was trained on ImageNet, by what of it is trained. Of 1,250 enlarged
# pictures of 32x32, 100 a class to train on, a head got 73 % of the held-out ones right at 128
# pixels, 76 % at 160, 75 % at 192 and at 224, its own size (6 draws); time grows with the area, and
# all layers take four times as long as the head's features do, in every epoch.
PHOTO_EDGE_LIMITS: dict[Fit, tuple[int, int]] = {"head": (160, 224), "all": (128, 224)}


_LATER = {"mirrored", "moved"}  # fields that older files lack


class _Record:
    """Plain-dictionary form for the frozen dataclasses below."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types (tuples become lists)."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()  # type: ignore[call-overload]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the record from :meth:`to_dict`'s form.

        Raises
        ------
        ValueError
            If a field is missing or unknown, or a value is out of its range.
        """
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown, missing = set(values) - names, names - set(values) - _LATER
        if unknown or missing:
            raise ValueError(
                f"{cls.__name__} has unknown fields {sorted(unknown)} "
                f"and lacks the fields {sorted(missing)}"
            )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _require_positive_ints(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number from 1")


@dataclass(frozen=True, slots=True)
class ModelConfig(_Record):
    """Architecture of a network: enough to build it again and to check its weights.

    Parameters
    ----------
    name
        In :data:`cnncli.nn.networks.NETWORKS`, or a classifier of ``torchvision.models``.
    in_channels
        1 for greyscale, 3 for colour.
    height, width
        Input size in pixels.
    num_classes
        Number of outputs.
    mirrored, moved
        Whether ``"simple"`` and ``"deep"`` answer with the mean for a picture and its mirror image,
        or for a picture and two that are moved by a pixel, as they have learned from such.
    """

    name: str = "simple"
    in_channels: int = 1
    height: int = 28
    width: int = 28
    num_classes: int = 10
    mirrored: bool = False
    moved: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.isidentifier() and len(self.name) < 100):
            raise ValueError(f"model {str(self.name)[:100]!r} is no name of a network")
        _require_positive_ints(self, "in_channels", "height", "width", "num_classes")
        for name in ("mirrored", "moved"):
            if type(value := getattr(self, name)) is not bool:
                raise ValueError(f"{name} is {value!r}; it must be true or false")


@dataclass(frozen=True, slots=True)
class Preprocessing(_Record):
    """How a picture becomes what the network was trained on.

    Parameters
    ----------
    kind
        ``"digit"`` finds one digit and normalises it as MNIST was made; ``"resize"`` scales and
        centre-crops a photograph; ``"none"`` takes pixels of the right size as they are.
    height, width, channels
        Size of the prepared picture, uint8 ``(height, width, channels)``.
    mean, std
        Per channel, for pixels in [0, 1]: the network gets ``(pixel / 255 - mean) / std``.
    """

    kind: PreprocessingKind = "digit"
    height: int = 28
    width: int = 28
    channels: int = 1
    mean: tuple[float, ...] = (MNIST_MEAN,)
    std: tuple[float, ...] = (MNIST_STD,)

    def __post_init__(self) -> None:
        if self.kind not in get_args(PreprocessingKind):
            raise ValueError(
                f"preprocessing {self.kind!r} is unknown; known: {get_args(PreprocessingKind)}"
            )
        _require_positive_ints(self, "height", "width", "channels")
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} numbers each, one a channel")
        if min(self.std) <= 0:
            raise ValueError(f"std is {self.std}; every value must be above 0")
        inverse = tuple(1 / value for value in self.std)
        for name, values in (("mean", self.mean), ("std", self.std), ("1/std", inverse)):
            if not all(type(value) is not bool and abs(value) <= 1e6 for value in values):
                raise ValueError(f"{name} is {values}; every value must be a number up to 1e6")


@dataclass(frozen=True, slots=True)
class Augmentation(_Record):
    """How far training pictures are varied; every value is drawn evenly within its bounds.

    Parameters
    ----------
    shift
        Pixels in each direction.
    whole_shift
        Share of the edge, in each direction, by whole pixels: nothing is blurred.
    scale
        Share by which the size changes, up or down.
    rotation, shear
        Degrees, to either side.
    thicken, thin
        Share of a one-pixel dilation or erosion that is mixed in: the stroke's width.
    brightness
        Share of white that is added to, or taken off, every pixel of a picture.
    flip
        Whether half of the pictures are mirrored left to right.
    """

    shift: float = 0.0
    whole_shift: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0
    thicken: float = 0.0
    thin: float = 0.0
    brightness: float = 0.0
    flip: bool = False

    def scaled(self, share: float) -> "Augmentation":
        """Return the same with every bound that much as far; the mirror stays."""
        bounds = {name: bound * share for name, bound in asdict(self).items() if name != "flip"}
        return replace(self, **bounds)


AUGMENTATIONS = {
    "digit": Augmentation(shift=2.0, scale=0.12, rotation=12.0, shear=8.0, thicken=0.8, thin=0.5),
    # Small photographs lose by being turned or resized: what is resampled is blurred, what is to be
    # recognised is not (SimpleCNN and DeepCNN on 2,000 of 32x32 pixels, 2 to 4 seeds each). Lighter
    # and darker ones gain (SimpleCNN, 4 seeds: 60.4 % of held-out pictures right, not 58.5 %).
    "photo": Augmentation(whole_shift=0.125, brightness=0.2, flip=True),
}


@dataclass(frozen=True, slots=True)
class TrainConfig(_Record):
    """How a network is trained; one for each recipe below, options change single fields.

    Parameters
    ----------
    recipe
        Name of the recipe that the other values come from.
    optimizer, lr, weight_decay
        The optimizer, its (highest) learning rate and decay; ``"muon"`` updates the kernels of
        convolutions by Muon and the rest by AdamW, ``"muon-turn"`` by Muon that only turns them.
    schedule
        ``"one-cycle"`` rises to `lr` and falls to almost 0, ``"linear"`` only falls; ``"constant"``
        stays.
    batch_size
        Pictures a step.
    label_smoothing
        Share of each target spread over all classes.
    ema_decay
        Decay a step of the averaged weights that are validated and kept; 0 keeps the last ones.
    augment
        Whether training pictures are varied.
    balance
        Whether rare classes count more, where one class has twice the pictures of another.
    precision
        ``"bf16"`` computes layers in bfloat16 (weights stay float32); ``"auto"`` where it is fast.
    epochs
        Passes over the training pictures.
    val_split
        Share of each class held out to choose the epoch by.
    patience
        Epochs without improvement after which training stops; 0 never stops.
    seed
        Of initial weights, order, augmentation and split.
    """

    recipe: RecipeName = "fast"
    optimizer: OptimizerName = "adamw"
    lr: float = 3e-3
    weight_decay: float = 0.05
    schedule: ScheduleName = "one-cycle"
    batch_size: int = 128
    label_smoothing: float = 0.1
    ema_decay: float = 0.995
    augment: bool = True
    balance: bool = True
    precision: PrecisionName = "auto"
    epochs: int = 10
    val_split: float = 0.1
    patience: int = 0
    seed: int = 0


RECIPES = {
    "fast": TrainConfig(),
    # The lesson's loop and nothing else.
    "plain": TrainConfig(
        recipe="plain",
        optimizer="adam",
        lr=1e-3,
        weight_decay=0.0,
        schedule="constant",
        batch_size=64,
        label_smoothing=0.0,
        ema_decay=0.0,
        augment=False,
        balance=False,
        precision="fp32",
    ),
}


def suited_to(
    config: TrainConfig, pictures: int, model: str = "simple", pixels: int = 1024
) -> TrainConfig:
    """Return the fast recipe with what suits a number of pictures.

    Few pictures need smaller batches to get enough steps, and weights that are held back more.
    Many give more steps than they need: larger batches are faster, and learn with a higher rate.
    The figures for many were chosen on held-out MNIST images (25 runs with AdamW, 20 with Muon),
    those for few on 2,500 photographs (SimpleCNN and DeepCNN, 2 to 4 seeds each), by calibrated log
    loss.

    Parameters
    ----------
    config
        The recipe, with the optimizer that it shall have.
    pictures
        To train on.
    model
        Name of the network; ``"deep"`` learns from large batches, of which an epoch has 20 or more.
    pixels
        Of each picture; batches of large ones are smaller, or their maps would fill the memory.

    Examples
    --------
    >>> [suited_to(TrainConfig(), count).batch_size for count in (500, 2250, 5000, 54000)]
    [16, 16, 128, 256]
    >>> suited_to(TrainConfig(optimizer="muon"), 54000).batch_size
    384
    >>> [suited_to(TrainConfig(), count, "deep").batch_size for count in (500, 2250, 54000)]
    [32, 112, 1000]
    """
    if model == "deep":
        batch = min(1000, 1_024_000 // pixels, pictures // 20)
        return replace(config, batch_size=max(32, batch))
    if pictures < 4096:
        return replace(config, batch_size=16, weight_decay=0.2)
    if pictures < 20_000:
        return config
    if config.optimizer == "muon":  # learns as well from larger batches, of which it takes less
        return replace(config, batch_size=384, lr=0.014, weight_decay=0.1, ema_decay=0.9925)
    return replace(config, batch_size=256, lr=0.008, weight_decay=0.1)


def data_folder() -> Path:
    """Return the folder of data sets: ``CNNCLI_DATA``, else the platform's cache folder."""
    if named := os.environ.get("CNNCLI_DATA"):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("cnncli", appauthor=False)
