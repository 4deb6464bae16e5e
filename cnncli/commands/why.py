"""``cnncli why``: which pixels of a picture decided."""

from dataclasses import asdict, dataclass
from json import dumps
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.commands._options import Json, MaxPixels, Output, Quiet, Show, Weights
from cnncli.commands._seen import Answer, Image, Seen, read_one, wants_show
from cnncli.errors import UsageError
from cnncli.images.picture import rounded
from cnncli.inference.engine import Engine, load_engine
from cnncli.interpret.hires_cam import hires_cam
from cnncli.interpret.occlusion import Region, occlusion, strongest_window
from cnncli.limits import MAX_PIXELS
from cnncli.show.colours import mixed
from cnncli.show.console import result, stdout_console
from cnncli.show.picture import show_pictures
from cnncli.show.scale import rgb
from cnncli.show.text import percent, printable
from cnncli.show.why import why_sheet

Method = Literal["occlusion", "grad-cam"]
SLIGHT = 0.01  # a fall of less than one point: no region decides alone


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a network says before and after its strongest region is covered.

    Parameters
    ----------
    asked, answer
        What it says of the class that is asked about, and its answer, nothing covered.
    covered, then
        The same with the region covered.
    region
        The strongest region, in pixels of what the network is shown.
    method
        By which it was found.
    """

    asked: Answer
    answer: Answer
    covered: Answer
    then: Answer
    region: Region
    method: Method

    @property
    def confidence_drop(self) -> float:
        """What the class loses."""
        return self.asked.confidence - self.covered.confidence

    def sentences(self) -> list[str]:
        """Say in words what covering the region does."""
        is_answer = self.asked.index == self.answer.index
        first = f"{self.asked}" + ("" if is_answer else f" (the answer is {self.answer})") + "."
        size, points = f"{self.region.width}x{self.region.height}", abs(self.confidence_drop) * 100
        if abs(self.confidence_drop) < SLIGHT:
            return [first, self._slight(f"{size} region ({self.region})", points)]
        what = f"the strongest {size} region ({self.region})"
        if not is_answer:
            what = f"the {size} region ({self.region}) that speaks most against it"
        then = "stays" if self.then.index == self.answer.index else f"becomes {self.then}"
        verb, more = ("leaves", "less") if self.confidence_drop > 0 else ("gives", "more")
        covered = percent(self.covered.confidence)
        changes = f"Covering {what} {verb} {covered}, {points:.1f} points {more}"
        return [first, f"{changes}; the answer {then}."]

    def _slight(self, region: str, points: float) -> str:
        if self.method == "occlusion":
            return f"No region decides alone: the {region} changes {points:.1f} points."
        return (
            f"Covering the {region} that the map names changes only {points:.1f} points; "
            "--method occlusion tries every region."
        )


def why(
    image: Image,
    weights: Weights = None,
    label: Annotated[
        str | None, typer.Option(help="Ask about this class instead of the answer.")
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="Cover regions one by one, or weigh the last convolution's maps by their "
            "gradient, place by place (HiResCAM: Grad-CAM without its averages, which mislead "
            "for networks with fully connected layers; needs torch)."
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
    seen = read_one(image, weights, max_pixels, quiet=quiet or as_json)
    engine = load_engine(seen.checkpoint)
    before = engine.probabilities(seen.network_input[None])[0]
    answer = seen.answer(before)
    asked = answer if label is None else seen.answer(before, _index_of(label, seen))
    size = patch or max(1, min(seen.network_input.shape[1:]) // 4)
    heat, region = _heat(seen, engine, asked.index, method, size, against=asked != answer)
    covered = region.cover(seen.network_input, seen.nothing())
    after = engine.probabilities(covered[None])[0]
    attribution = Attribution(
        asked, answer, seen.answer(after, asked.index), seen.answer(after), region, method
    )
    words, pixels = attribution.sentences(), _to_pixels(covered, seen)
    panel = f"{region} covered", pixels
    target = seen.write(why_sheet(seen.pictures(), heat, region, panel, words), output, "why")
    if as_json:
        _print_record(seen, attribution, target)
    elif target != "-":
        result("\n".join([f"{target}: {words[0]}", *words[1:]]))
    if wants_show(show, quiet or as_json, target):
        shown = seen.shown()
        panels = [("shown", shown), ("what decided", mixed(shown, heat)), ("covered", pixels)]
        show_pictures(stdout_console(), panels, max_height=shown.shape[0])


def _index_of(label: str, seen: Seen) -> int:
    classes = seen.checkpoint.classes
    if label not in classes:
        known = ", ".join(printable(name, 30) for name in classes[:40])
        raise UsageError(f"--label {label!r} is no class of this network; it knows {known}")
    return classes.index(label)


def _heat(
    seen: Seen, engine: Engine, index: int, method: Method, patch: int, *, against: bool
) -> tuple[NDArray[np.float32], Region]:
    """Return the heat map of what the network is shown, and the region to cover.

    Of the answer that is what speaks for it; of another class, what speaks against it.
    """
    if method == "occlusion":
        found = occlusion(engine.probabilities, seen.network_input, index, patch, seen.nothing())
        return found.confidence_drop, found.opposing if against else found.strongest
    from cnncli.nn.state_dict import load_network

    network = load_network(seen.checkpoint)
    mirrored = seen.checkpoint.model.mirrored
    heat = hires_cam(network, seen.network_input, index, seen.nothing(), mirrored=mirrored)
    return heat, strongest_window((-heat if against else heat).clip(min=0), patch)


def _to_pixels(shown: NDArray[np.float32], seen: Seen) -> NDArray[np.uint8]:
    """Return a network's input as it looks, RGB."""
    prepared = seen.checkpoint.preprocessing
    std, mean = (np.array(v, np.float32)[:, None, None] for v in (prepared.std, prepared.mean))
    return rgb(rounded((shown * std + mean) * 255).transpose(1, 2, 0))


def _print_record(seen: Seen, attribution: Attribution, target: str) -> None:
    record: dict[str, Any] = {
        "path": seen.source,
        "output": target,
        "weights": str(seen.weights),
        "method": attribution.method,
        "label": attribution.asked.label,
        "index": attribution.asked.index,
        "confidence": attribution.asked.confidence,
        "region": asdict(attribution.region),
        "covered_confidence": attribution.covered.confidence,
        "fall": attribution.confidence_drop,
        "covered_label": attribution.then.label,
        "covered_label_confidence": attribution.then.confidence,
    }
    result(dumps(record, ensure_ascii=False))
