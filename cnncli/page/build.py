"""One page from its parts: the skeleton, the scripts in order, and a network as data."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.config import MOVES
from cnncli.images import read_picture, to_uint8_grey
from cnncli.images.data_uri import data_uri
from cnncli.inference import predict
from cnncli.inference.doubt import FLAGGED
from cnncli.inference.engine import doubt_of, load_engine, temperature_of
from cnncli.inference.predict import UNFAMILIAR
from cnncli.interpret.feature_maps import Stage, activations
from cnncli.ops import get_filter
from cnncli.preprocess import digit, ink, lines, locate, normalise, stroke, to_network_input
from cnncli.preprocess.resize import resize_and_crop
from cnncli.resources import sample_image
from cnncli.show.inline import script_hash, script_json
from cnncli.show.summary import card_lines

SCRIPTS = (
    "dom.js", "network.js", "colours.js", "pixels.js", "picture.js", "digit.js", "find.js",
    "pad.js", "maps.js", "explain.js", "kernel.js", "stored.js", "page.js", "start.js",
)  # fmt: skip
KINDS = {"conv": "convolve", "relu": "rectify", "pool": "pool", "fc": "connect", "mean": "average"}
KERNELS = ("vertical_edge", "horizontal_edge", "blur", "identity", "sharpen", "emboss", "laplacian")
MOST_MAPS = 16  # of a layer whose maps are stored
MOST_NUMBERS = 256  # of a layer without maps
LARGEST_MAP = 40  # points of a stored map's side
SCENE = (120, 160)  # height and width of the picture under the kernel

Pixels = NDArray[np.uint8]


def page(checkpoint: Checkpoint, about: str, samples: Sequence[tuple[str, Pixels]]) -> str:
    """Return an HTML page that runs a network of the lesson's kind, with no other file.

    Parameters
    ----------
    checkpoint
        A ``simple`` network.
    about
        One line under the heading.
    samples
        Names and prepared pictures, uint8 ``(H, W, C)``.
    """
    ood = doubt_of(checkpoint)
    return assemble(
        _common(checkpoint, about)
        | {
            "live": True,
            "layers": _layers(checkpoint),
            "ood": ood and asdict(ood),
            "samples": [{"name": name, "pixels": _text(pixels)} for name, pixels in samples],
            "differences": _LIVE,
        }
    )


def stored_page(checkpoint: Checkpoint, about: str, samples: Sequence[tuple[str, Pixels]]) -> str:
    """Return an HTML page with the maps of some pictures, of a network that a page cannot run.

    The parameters are those of :func:`page`.
    """
    engine, wanted = load_engine(checkpoint), checkpoint.preprocessing
    batch = to_network_input(np.stack([pixels for _, pixels in samples]), wanted)
    probabilities, ood = engine.answers(batch)
    run = [activations(checkpoint, picture)[1:] for picture in batch]
    chosen = [_strongest([stages[k].values for stages in run]) for k in range(len(run[0]))]
    return assemble(
        _common(checkpoint, about)
        | {
            "live": False,
            "samples": [
                {
                    "name": name,
                    "picture": data_uri(pixels),
                    "probabilities": probabilities[i].tolist(),
                    "ood": None if ood is None else float(ood[i]),
                    "stages": [_stored(*each) for each in zip(run[i], chosen, strict=True)],
                }
                for i, (name, pixels) in enumerate(samples)
            ],
            "differences": _STORED,
        }
    )


_LIVE = (
    "The network is the same: every map and every probability equals cnncli's to 0.00001. Weights "
    "are stored as float16 and a byte of what that rounds off.",
    "In a picture the digit is found and normalised by the same steps, with the same constants.",
    "Of a drawing the ink is known: no background has to be told from it.",
    "The browser decodes pictures: JPEG may differ by a level, 16-bit pictures are read at 8 bits.",
    "One digit is read; cnncli predict --digits reads numbers.",
)
_STORED = (
    "This network is too large for a page: the maps of these pictures were computed beforehand "
    "by cnncli, and are stored in 255 levels a layer, the strongest maps of each.",
)


def _reading() -> dict[str, Any]:
    """Return the constants of the search for a digit: the page's own search goes by them."""
    modules = (ink, lines, locate, normalise, stroke, digit, predict)
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple | dict)
    }


def _common(checkpoint: Checkpoint, about: str) -> dict[str, Any]:
    wanted = checkpoint.preprocessing
    return {
        "about": about,
        "classes": checkpoint.classes,
        "card": list(card_lines(checkpoint.card)),
        "kind": wanted.kind,
        "size": [wanted.channels, wanted.height, wanted.width],
        "mean": wanted.mean,
        "std": wanted.std,
        "flagged": FLAGGED,
        "warning": UNFAMILIAR,
        "kernels": [_kernel(name) for name in KERNELS],
        "scene": _scene(),
        "reading": _reading(),
    }


def _strongest(values: Sequence[NDArray[np.float32]]) -> list[int]:
    """Return which maps of a layer vary most over some pictures, at most :data:`MOST_MAPS`."""
    if values[0].ndim == 1:
        return list(range(len(values[0])))
    spread = sum(each.std(axis=(1, 2)) for each in values)
    return sorted(np.argsort(-spread, kind="stable")[:MOST_MAPS].tolist())


def _stored(stage: Stage, chosen: list[int]) -> dict[str, Any]:
    """Return some of a layer's maps, large ones at every second, third, … point."""
    values, size = stage.values, " x ".join(map(str, stage.values.shape[1:]))
    if values.ndim == 1:
        values = values[:MOST_NUMBERS, None, None]
        text = f"{len(values)} of {len(stage.values)} numbers"
    else:
        every = -(-values.shape[1] // LARGEST_MAP)
        values = values[chosen, ::every, ::every]
        text = f"{len(chosen)} of {len(stage.values)} maps of {size}"
        text += f", one point in {every} each way" if every > 1 else ""
    limit = float(np.abs(values).max()) or 1.0
    return {
        "name": stage.name,
        "step": stage.step,
        "shape": values.shape,
        "size": text,
        "maps": chosen,
        "limit": limit,
        "values": _text(np.rint(values / limit * 127).astype(np.int8)),
    }


def assemble(data: Mapping[str, Any]) -> str:
    """Return the page's parts as one file; only the one script inside may run."""
    folder = Path(__file__).parent
    code = "\n".join((folder / name).read_text("utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{code}\n}})();'
    whole = (folder / "page.html").read_text("utf-8")
    parts = {
        "{{script_hash}}": script_hash(script),
        "{{style}}": (folder / "page.css").read_text("utf-8"),
        "{{script}}": script,
        "{{data}}": script_json(data),  # the last: what it holds is not looked through
    }
    for mark, text in parts.items():
        whole = whole.replace(mark, text)
    return whole


def _layers(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Return each step of a network with its weights, by the names that ``features`` uses."""
    wanted, tensors, model = checkpoint.preprocessing, checkpoint.tensors, checkpoint.model
    blank = np.zeros((wanted.channels, wanted.height, wanted.width), np.float32)
    layers = []
    for stage in activations(checkpoint, blank)[1:]:
        layer: dict[str, Any] = {"name": stage.name, "step": stage.step}
        layer["kind"] = KINDS.get(stage.name.rstrip("0123456789"), "softmax")
        if layer["kind"] == "softmax":
            layer["temperature"] = temperature_of(checkpoint)
        if layer["kind"] == "average":
            layer |= {"moves": MOVES if model.moved else (), "mirrored": model.mirrored}
        for part in ("weight", "bias"):
            if (tensor := tensors.get(f"{stage.name}.{part}")) is not None:
                layer[part] = pack(tensor)
                layer["size"] = tensors[f"{stage.name}.weight"].shape[-1]
        layers.append(layer)
    return layers


def pack(weights: NDArray[np.float32]) -> dict[str, str]:
    """Return weights at three bytes each: as float16, and what rounding to it left over.

    The rest is counted in 254ths of the distance to the next float16, so that weights keep 19 of
    their 24 bits. ``network.js`` reads it.
    """
    half = weights.astype("<f2")
    spacing = np.spacing(np.abs(half)).astype(np.float64)
    rest = np.rint((weights - half.astype(np.float64)) / spacing * 254)
    return {"half": _text(half), "rest": _text(rest.astype(np.int8))}


def _kernel(name: str) -> dict[str, Any]:
    kernel = get_filter(name)
    return {"name": name, "rows": kernel.weights.tolist(), "scale": kernel.scale}


def _scene() -> dict[str, Any]:
    grey = to_uint8_grey(read_picture(sample_image("scene.png")))
    pixels = resize_and_crop(grey[:, :, None], *SCENE)
    return {"height": SCENE[0], "width": SCENE[1], "pixels": _text(pixels)}


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
