"""``cnncli filters``: the named kernels, what they are for and what they do."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnncli.commands._options import Json

if TYPE_CHECKING:
    from cnncli.ops import Filter


def filters(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One filter, with its numbers.", show_default=False),
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Draw what it does to a sample picture.", show_default=False),
    ] = False,
    as_json: Json = False,
) -> None:
    """List the named filters, or show one with its kernel.

    For example:

    cnncli filters

    cnncli filters sobel_x --show
    """
    from cnncli.ops import FILTERS, get_filter

    chosen = list(FILTERS.values()) if name is None else [get_filter(name)]
    if as_json:
        from cnncli.show.console import result

        for each in chosen:
            result(json.dumps(_record(each)))
        return
    from cnncli.show.filters import show_filter, show_filter_table

    records = [_record(each) for each in chosen]
    if name is None:
        show_filter_table(records)
    else:
        show_filter(records[0])
    if show:
        _draw(chosen)


def _record(each: "Filter") -> dict[str, Any]:
    """Return what is told about a filter, as JSON types."""
    from cnncli.ops.kernels import NamedFilter

    kernels = each.kernels if isinstance(each, NamedFilter) else (each,)
    rows, columns = kernels[0].weights.shape
    return {
        "name": each.name,
        "rows": rows,
        "columns": columns,
        "kernels": [{"weights": k.weights.tolist(), "scale": k.scale} for k in kernels],
        "combine": each.combine if isinstance(each, NamedFilter) else None,
        "source": each.source,
        "purpose": each.purpose,
    }


def _draw(chosen: "list[Filter]") -> None:
    from cnncli.filtering.chain import apply_filters
    from cnncli.filtering.settings import Settings, Step
    from cnncli.images import read_picture, to_uint8_rgb
    from cnncli.resources import sample_image
    from cnncli.show.console import stdout_console
    from cnncli.show.picture import show_pictures

    picture = read_picture(sample_image("scene.png"))
    for each in chosen:
        after = apply_filters(picture, (Step(each.name, each),), Settings()).picture
        pair = [("before", to_uint8_rgb(picture)), (each.name, to_uint8_rgb(after))]
        show_pictures(stdout_console(), pair, max_height=24)
