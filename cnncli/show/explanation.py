"""The arithmetic of one pixel, set out so that it can be checked by hand."""

from typing import TYPE_CHECKING, Any

from rich.text import Text

from cnncli.show.console import stdout_console

if TYPE_CHECKING:
    from rich.console import Console

MOST_TERMS = 30  # of a sum that is written out
_OUTSIDE = "bold magenta"


def show_explanation(explanation: Any) -> None:
    """Print how one pixel came about.

    Parameters
    ----------
    explanation
        A :class:`cnncli.filtering.explain.Explanation`.
    """
    console = stdout_console()
    _line(console, Text(_headline(explanation), style="bold"))
    for note in _notes(explanation):
        _line(console, Text(note, style="dim"))
    for channel in explanation.channels:
        _line(console, Text())
        title = "" if channel.name == "grey" else f"channel {channel.name}"
        for number, each in enumerate(channel.sums):
            which = f"kernel {number + 1} of {len(channel.sums)}" if len(channel.sums) > 1 else ""
            heading = ", ".join(part for part in (title, which) if part)
            if heading:
                _line(console, Text(heading, style="bold"))
            for line in _layout(each, explanation.outside, console.width):
                _line(console, line)
            _line(console, Text(_sum_line(each)))
        for text in _steps_to_pixel(explanation, channel):
            _line(console, Text(text))


def _line(console: "Console", text: Text) -> None:
    console.print(text, soft_wrap=True)


def _headline(explanation: Any) -> str:
    return (
        f"{explanation.filter} at column {explanation.x}, row {explanation.y} of the result "
        f"({explanation.op}, border {explanation.border})"
    )


def _notes(explanation: Any) -> list[str]:
    notes = []
    if explanation.before:
        notes.append(f"the window shows the unrounded result of {', '.join(explanation.before)}")
    if explanation.weighted:
        notes.append("what is transparent stands in the window as the mean of the visible pixels")
    if any(any(row) for row in explanation.outside):
        notes.append(f"[brackets]: outside the picture, filled by the border {explanation.border}")
    if explanation.op == "convolve":
        notes.append("the kernel is shown rotated by 180 degrees, as it was applied")
    return notes


def number(value: float) -> str:
    """Return a number in at most six digits."""
    return f"{value:.6g}"


def signed(text: str) -> str:
    """Put a negative number in brackets, for what stands before or after it."""
    return f"({text})" if text.startswith("-") else text


def _cells(matrix: list[list[float]]) -> list[list[str]]:
    cells = [[number(value) for value in row] for row in matrix]
    width = max(len(cell) for row in cells for cell in row)
    return [[cell.rjust(width) for cell in row] for row in cells]


def _block(matrix: list[list[float]], title: str, outside: list[list[bool]] | None) -> list[Text]:
    """Return a titled matrix as lines of equal width."""
    lines = []
    for y, row in enumerate(_cells(matrix)):
        line = Text()
        for x, cell in enumerate(row):
            marked = outside is not None and outside[y][x]
            line.append(f"[{cell}]" if marked else f" {cell} ", _OUTSIDE if marked else "")
        lines.append(line)
    width = max(lines[0].cell_len, len(title) + 2)
    for line in lines:
        line.pad_right(width - line.cell_len)
    return [Text(f" {title}".ljust(width), style="dim"), *lines]


def matrix_lines(matrix: list[list[float]]) -> list[Text]:
    """Return a matrix as lines of equal width."""
    return _block(matrix, "", None)[1:]


def _layout(each: Any, outside: list[list[bool]], width: int) -> list[Text]:
    """Return window, kernel and products side by side, or below each other where too wide."""
    blocks = [
        _block(each.window, "window", outside),
        _block(each.kernel, "kernel", None),
        _block(each.products, "products", None),
    ]
    signs = ["  x  ", "  =  "]
    total = sum(block[0].cell_len for block in blocks) + sum(map(len, signs))
    if total > width:
        return [line for block in blocks for line in block]
    middle = 1 + (len(each.window) - 1) // 2
    lines = []
    for y in range(len(blocks[0])):
        line = Text()
        for block, sign in zip(blocks, ["", *signs], strict=True):
            line.append(sign if y == middle else " " * len(sign))
            line.append_text(block[y])
        lines.append(line)
    return lines


def _sum_line(each: Any) -> str:
    terms = [value for row in each.products for value in row if value]
    text = " + ".join(signed(number(value)) for value in terms[:MOST_TERMS])
    if len(terms) > MOST_TERMS:
        text += f" + … ({len(terms)} terms)"
    equals = f"{text} = " if len(terms) > 1 else ""
    scaled = f"; / {each.scale} = {number(each.sum / each.scale)}" if each.scale != 1 else ""
    return f" sum = {equals}{number(each.sum)}{scaled}"


def _steps_to_pixel(explanation: Any, channel: Any) -> list[str]:
    lines = []
    parts = [number(each.sum / each.scale) for each in channel.sums]
    if explanation.combine == "magnitude":
        squares = " + ".join(f"{signed(part)}^2" for part in parts)
        lines.append(f" magnitude = sqrt({squares}) = {number(channel.response)}")
    elif explanation.combine == "max":
        lines.append(f" largest of {', '.join(parts)} = {number(channel.response)}")
    if explanation.scale != 1 or explanation.bias:
        bias = f" + {number(explanation.bias)}" if explanation.bias else ""
        lines.append(
            f" value = {number(channel.response)} / {number(explanation.scale)}{bias} "
            f"= {number(channel.value)}"
        )
    lines.append(f" {range_text(explanation, channel.value)} -> pixel {number(channel.pixel)}")
    return lines


def range_text(explanation: Any, value: float) -> str:
    """Say how a value becomes a pixel."""
    text, whole = number(value), explanation.depth.startswith(("uint", "int"))
    rounded = f", rounded half up, kept within {explanation.depth}" if whole else ""
    match explanation.range:
        case "abs":
            return f"range abs: |{text}| = {number(abs(value))}{rounded}"
        case "offset":
            return f"range offset: {text} + the middle grey of {explanation.depth}{rounded}"
        case "minmax":
            low, high = number(explanation.low), number(explanation.high)
            return f"range minmax: ({text} - {low}) / ({high} - {low}), times white{rounded}"
        case "raw":
            return f"range raw: {text} as it is"
        case _:
            return f"range clip: {text}{rounded}"
