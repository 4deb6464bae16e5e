"""Text that others wrote (a model card, class names, file names), made safe for a terminal."""


def printable(text: object, limit: int = 300) -> str:
    r"""Return one line of text in which every control character is spelt out.

    A checkpoint is a file from anywhere: an escape sequence in its card must not move the cursor.

    Parameters
    ----------
    text
        Anything; ``str()`` of it is shown.
    limit
        Most characters of the input to show; more are cut with ``…``.

    Examples
    --------
    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    whole = str(text)
    cut = whole if len(whole) <= limit else whole[: limit - 1] + "…"
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut
    )
