"""``cnncli why``: which pixels of a picture decided."""

from dataclasses import asdict, dataclass
from json import dumps
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.commands._options import Json, MaxPixels, Output, Quiet, Show, Weights
from cnncli.commands._seen import Image, Seen, read_one, wants_show
from cnncli.errors import UsageError
from cnncli.inference.engine import Engine, load_engine
from cnncli.interpret.hires_cam import hires_cam
from cnncli.interpret.occlusion import Region, occlusion, strongest_window
from cnncli.limits import MAX_PIXELS
from cnncli.show.console import result, stdout_console
from cnncli.show.picture import show_pictures
from cnncli.show.text import percent, printable
from cnncli.show.why import heat_over, why_sheet

TRIES = "occlusion"  # the method that covers every region
METHODS = (TRIES, "grad-cam")
SLIGHT = 0.01  # a fall of less than one point: no region decides alone


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a network says before and after its strongest region is covered.

    Parameters
    ----------
    index
        The class that is asked about.
    before, after
        Probabilities of all classes.
    region
        The strongest region, in pixels of what the network is shown.
    tried
        Whether every region was covered to find it; otherwise a map of gradients named it.
    """

    index: int
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    region: Region
    tried: bool

    @property
    def confidence(self) -> float:
        """Of the class, nothing covered."""
        return float(self.before[self.index])

    @property
    def covered_confidence(self) -> float:
        """Of the class, the region covered."""
        return float(self.after[self.index])

    @property
    def confidence_drop(self) -> float:
        """What the class loses."""
        return self.confidence - self.covered_confidence

    def box(self) -> tuple[int, int, int, int]:
        """Return left, top, width and height of the region."""
        return self.region.left, self.region.top, self.region.width, self.region.height

    def region_text(self) -> str:
        """Return where the region is: ``columns 8-14, rows 5-11``."""
        left, top, width, height = self.box()
        return f"columns {left}-{left + width - 1}, rows {top}-{top + height - 1}"

    def sentences(self, classes: tuple[str, ...]) -> list[str]:
        """Say in words what covering the region does."""
        answer = int(self.before.argmax())
        first = _said(classes, self.before, self.index)
        if answer != self.index:
            first += f" (the answer is {_said(classes, self.before, answer)})"
        size = f"{self.region.width}x{self.region.height}"
        points = abs(self.confidence_drop) * 100
        if abs(self.confidence_drop) < SLIGHT:
            return [f"{first}.", self._slight(f"{size} region ({self.region_text()})", points)]
        other = int(self.after.argmax())
        then = "stays" if other == answer else f"becomes {_said(classes, self.after, other)}"
        if answer == self.index:
            what = f"the strongest {size} region ({self.region_text()})"
        else:
            what = f"the {size} region ({self.region_text()}) that speaks most against it"
        verb, more = ("leaves", "less") if self.confidence_drop > 0 else ("gives", "more")
        return [
            f"{first}.",
            f"Covering {what} {verb} {percent(self.covered_confidence)}, {points:.1f} points "
            f"{more}; the answer {then}.",
        ]

    def _slight(self, region: str, points: float) -> str:
        if self.tried:
            return f"No region decides alone: the {region} changes {points:.1f} points."
        return (
            f"Covering the {region} that the map names changes only {points:.1f} points; "
            "--method occlusion tries every region."
        )


def _said(classes: tuple[str, ...], probabilities: NDArray[np.float32], index: int) -> str:
    return f"{printable(classes[index], 40)} with {percent(float(probabilities[index]))}"


def why(
    image: Image,
    weights: Weights = None,
    label: Annotated[
        str | None, typer.Option(help="Ask about this class instead of the answer.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="occlusion|grad-cam",
            help="Cover regions one by one, or weigh the last convolution's maps by their "
            "gradient, place by place (HiResCAM: Grad-CAM without its averages, which mislead "
            "for networks with fully connected layers; needs torch).",
        ),
    ] = "occlusion",
    patch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Edge of the covered square. Default: a quarter of the network's input."
        ),
    ] = None,
    output: Output = None,
    show: Show = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which pixels decided, and what the network says when the best of them are covered.

    For example:

    cnncli why digit.jpg

    cnncli why digit.jpg --label 1 -o why-not-1.png

    cnncli why digit.jpg --method grad-cam
    """
    if method not in METHODS:
        raise UsageError(f"--method {method!r} is unknown; use {' or '.join(METHODS)}")

    seen = read_one(image, weights, max_pixels, quiet=quiet or as_json)
    engine = load_engine(seen.checkpoint)
    before = engine.probabilities(seen.network_input[None])[0]
    index = int(before.argmax()) if label is None else _index_of(label, seen.checkpoint.classes)
    size = patch or max(1, min(seen.network_input.shape[1:]) // 4)
    heat, region = _heat(seen, engine, index, method, size, against=index != before.argmax())
    covered = region.cover(seen.network_input, seen.nothing())
    attribution = Attribution(
        index, before, engine.probabilities(covered[None])[0], region, method == TRIES
    )
    words = attribution.sentences(seen.checkpoint.classes)
    target = _write(seen, heat, attribution, words, output)
    if as_json:
        _print_record(seen, attribution, method, target)
    elif target != "-":
        result("\n".join([f"{target}: {words[0]}", *words[1:]]))
    if wants_show(show, quiet or as_json, target):
        _show(seen, heat, attribution)


def _index_of(label: str, classes: tuple[str, ...]) -> int:
    if label not in classes:
        known = ", ".join(printable(name, 30) for name in classes[:40])
        raise UsageError(f"--label {label!r} is no class of this network; it knows {known}")
    return classes.index(label)


def _heat(
    seen: Seen, engine: Engine, index: int, method: str, patch: int, *, against: bool
) -> tuple[NDArray[np.float32], Region]:
    """Return the heat map of what the network is shown, and the region to cover.

    Of the answer that is what speaks for it; of another class, what speaks against it.
    """
    if method == TRIES:
        found = occlusion(engine.probabilities, seen.network_input, index, patch, seen.nothing())
        return found.confidence_drop, found.opposing if against else found.strongest
    from cnncli.nn.state_dict import load_network

    network = load_network(seen.checkpoint)
    heat = hires_cam(network, seen.network_input, index, seen.nothing())
    return heat, strongest_window((-heat if against else heat).clip(min=0), patch)


def _write(
    seen: Seen,
    heat: NDArray[np.float32],
    attribution: Attribution,
    lines: list[str],
    output: str | None,
) -> str:
    title = f"{attribution.region_text()} covered"
    sheet = why_sheet(
        seen.pictures(), heat, attribution.box(), (title, _covered_pixels(seen, attribution)), lines
    )
    return seen.write(sheet, output, "why")


def _covered_pixels(seen: Seen, attribution: Attribution) -> NDArray[np.uint8]:
    """Return what the network is shown with the strongest region covered, RGB."""
    prepared = seen.checkpoint.preprocessing
    std, mean = (np.array(v, np.float32)[:, None, None] for v in (prepared.std, prepared.mean))
    covered = attribution.region.cover(seen.network_input, seen.nothing())
    pixels = np.clip(np.floor((covered * std + mean) * 255 + 0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels.transpose(1, 2, 0), (*pixels.shape[1:], 3)))


def _print_record(seen: Seen, attribution: Attribution, method: str, target: str) -> None:
    classes = seen.checkpoint.classes
    record: dict[str, Any] = {
        "path": seen.source,
        "output": target,
        "weights": str(seen.weights),
        "method": method,
        "label": classes[attribution.index],
        "index": attribution.index,
        "confidence": attribution.confidence,
        "region": asdict(attribution.region),
        "covered_confidence": attribution.covered_confidence,
        "fall": attribution.confidence_drop,
        "covered_label": classes[int(attribution.after.argmax())],
        "covered_label_confidence": float(attribution.after.max()),
    }
    result(dumps(record, ensure_ascii=False))


def _show(seen: Seen, heat: NDArray[np.float32], attribution: Attribution) -> None:
    shown = seen.shown()
    panels = [
        ("shown", shown),
        ("what decided", heat_over(shown, heat)),
        ("covered", _covered_pixels(seen, attribution)),
    ]
    show_pictures(stdout_console(), panels, max_height=shown.shape[0])
