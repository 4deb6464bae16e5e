"""The arithmetic of one pixel, set out so that it can be checked by hand."""

from typing import Any

from rich.text import Text

from cnncli.show.console import stdout_console

MOST_TERMS = 30  # of a sum that is written out
_OUTSIDE = "bold magenta"


def show_explanation(explanation: Any) -> None:
    """Print how one pixel came about.

    Parameters
    ----------
    explanation
        A :class:`cnncli.filtering.explain.Explanation`.
    """
    headline = f"{explanation.filter} at column {explanation.x}, row {explanation.y} of the result "
    lines = [Text(f"{headline}({explanation.op}, border {explanation.border})", style="bold")]
    lines += [Text(note, style="dim") for note in _notes(explanation)]
    for channel in explanation.channels:
        lines.append(Text())
        title = [] if channel.name == "grey" else [f"channel {channel.name}"]
        for number, each in enumerate(channel.sums, 1):
            which = [f"kernel {number} of {len(channel.sums)}"] if len(channel.sums) > 1 else []
            if title or which:
                lines.append(Text(", ".join(title + which), style="bold"))
            lines += _layout(each, explanation.outside, stdout_console().width)
            lines.append(Text(_sum_line(each)))
        lines += [Text(text) for text in _steps_to_value(explanation, channel)]
        lines.append(_last_line(explanation, channel))
    _print(lines)


def _print(lines: list[Text]) -> None:
    for line in lines:
        stdout_console().print(line, soft_wrap=True)


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


def _number(value: float) -> str:
    """Return a number in at most six digits."""
    return f"{value:.6g}"


def _signed(text: str) -> str:
    """Put a negative number in brackets, for what stands before or after it."""
    return f"({text})" if text.startswith("-") else text


def _block(matrix: list[list[float]], title: str, outside: list[list[bool]] | None) -> list[Text]:
    """Return a titled matrix as lines of equal width."""
    lines, room = [], max(len(_number(value)) for row in matrix for value in row)
    for y, row in enumerate(matrix):
        line = Text()
        for x, value in enumerate(row):
            marked, cell = outside is not None and outside[y][x], _number(value).rjust(room)
            line.append(f"[{cell}]" if marked else f" {cell} ", _OUTSIDE if marked else "")
        lines.append(line)
    width = max(lines[0].cell_len, len(title) + 2)
    for line in lines:
        line.pad_right(width - line.cell_len)
    return [Text(f" {title}".ljust(width), style="dim"), *lines]


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
    text = " + ".join(_signed(_number(value)) for value in terms[:MOST_TERMS])
    if len(terms) > MOST_TERMS:
        text += f" + … ({len(terms)} terms)"
    equals = f"{text} = " if len(terms) > 1 else ""
    scaled = f"; / {each.scale} = {_number(each.sum / each.scale)}" if each.scale != 1 else ""
    return f" sum = {equals}{_number(each.sum)}{scaled}"


def _steps_to_value(explanation: Any, channel: Any) -> list[str]:
    lines = []
    parts = [_number(each.sum / each.scale) for each in channel.sums]
    if explanation.combine == "magnitude":
        squares = " + ".join(f"{_signed(part)}^2" for part in parts)
        lines.append(f" magnitude = sqrt({squares}) = {_number(channel.response)}")
    elif explanation.combine == "max":
        lines.append(f" largest of {', '.join(parts)} = {_number(channel.response)}")
    if explanation.scale != 1 or explanation.bias:
        bias = f" + {_number(explanation.bias)}" if explanation.bias else ""
        lines.append(
            f" value = {_number(channel.response)} / {_number(explanation.scale)}{bias} "
            f"= {_number(channel.value)}"
        )
    return lines


def _last_line(explanation: Any, channel: Any) -> Text:
    return Text(f" {_range_text(explanation, channel.value)} -> pixel {_number(channel.pixel)}")


def _range_text(explanation: Any, value: float) -> str:
    """Say how a value becomes a pixel."""
    text, whole = _number(value), explanation.depth.startswith(("uint", "int"))
    rounded = f", rounded half up, kept within {explanation.depth}" if whole else ""
    match explanation.range:
        case "abs":
            return f"range abs: |{text}| = {_number(abs(value))}{rounded}"
        case "offset":
            return f"range offset: {text} + the middle grey of {explanation.depth}{rounded}"
        case "minmax":
            low, high = _number(explanation.low), _number(explanation.high)
            return f"range minmax: ({text} - {low}) / ({high} - {low}), times white{rounded}"
        case "raw":
            return f"range raw: {text} as it is"
        case _:
            return f"range clip: {text}{rounded}"


def show_pool_explanation(explanation: Any) -> None:
    """Print how one pooled pixel came about.

    Parameters
    ----------
    explanation
        A :class:`cnncli.filtering.explain.PoolExplanation`.
    """
    lines = [Text(_pool_headline(explanation), style="bold")]
    if explanation.opacity is not None:
        lines.append(Text("opacity of the window's pixels:", style="dim"))
        lines += _block(explanation.opacity, "", None)[1:]
    for channel in explanation.channels:
        name = "" if channel.name == "grey" else f"\nchannel {channel.name}"
        lines += [Text(name, style="bold"), *_block(channel.window, "", None)[1:]]
        lines += [Text(f" {_formula(explanation, channel)}"), _last_line(explanation, channel)]
    _print(lines)


def _pool_headline(explanation: Any) -> str:
    rows = len(explanation.channels[0].window)
    columns = len(explanation.channels[0].window[0])
    right, bottom = explanation.left + columns - 1, explanation.top + rows - 1
    return (
        f"{explanation.mode} of columns {explanation.left} to {right}, rows {explanation.top} to "
        f"{bottom}: column {explanation.x}, row {explanation.y} of the result"
    )


def _formula(explanation: Any, channel: Any) -> str:
    mode, equals = explanation.mode, f" = {_number(channel.value)}"
    values = [value for row in channel.window for value in row]
    terms = [_signed(_number(value)) for value in values[:MOST_TERMS]]
    terms += ["…"] if len(values) > MOST_TERMS else []
    if explanation.opacity is not None:
        how = "weighted by opacity" if mode in ("avg", "sum") else "of what is visible"
        return f"{mode} {how}{equals}"
    if mode in ("max", "min", "median"):
        return f"{mode} of {', '.join(terms)}{equals}"
    if mode == "l2":
        squares = " + ".join(term if term == "…" else f"{term}^2" for term in terms)
        return f"l2 = sqrt({squares}){equals}"
    total = " + ".join(terms)
    if mode == "sum":
        return f"sum = {total}{equals}"
    return f"avg = ({total}) / {explanation.count}{equals}"
