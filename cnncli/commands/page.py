"""``cnncli page``: a network as a page that draws, shows every map, and explains every number."""

from pathlib import Path
from typing import Annotated

import typer

from cnncli.batch.inputs import expand_inputs
from cnncli.commands._options import Images, Quiet, Weights
from cnncli.commands._weights import open_weights, weights_name
from cnncli.files import write_whole
from cnncli.images import read_picture
from cnncli.page.build import page as build_page
from cnncli.page.build import stored_page
from cnncli.preprocess import prepare
from cnncli.resources import sample_image
from cnncli.show.console import notice, result


def page(
    images: Images = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")
    ] = Path("page.html"),
    weights: Weights = None,
    quiet: Quiet = False,
) -> None:
    """Write a page that runs a network in the browser: draw, see every map, click for the sum.

    It is one file that opens by double click, without server or network. IMAGES are samples to
    try; of a network that is too large for a page it shows their maps, computed beforehand.

    Example: cnncli page

    Example: cnncli page -w weights/last.safetensors -o mine.html
    """
    checkpoint, path, reason = open_weights(weights)
    notice(f"weights: {weights_name(path)} ({reason})", quiet=quiet)
    digits = sorted(sample_image("scene.png").parent.glob("digit-*"))
    files = [Path(name) for name in expand_inputs(images).names] if images else digits
    samples = [
        (file.stem, prepare(read_picture(file), checkpoint.preprocessing).pixels) for file in files
    ]
    about = f"{checkpoint.model.name}, {weights_name(path)}"
    live = checkpoint.model.name == "simple"
    text = (build_page if live else stored_page)(checkpoint, about, samples)
    write_whole(output, text.encode())
    result(f"{output}: {len(text.encode()):,} bytes")
