"""What the terminal answers when it is asked: the pictures it draws, and the size of a character.

A question is bytes on the screen and an answer is bytes on the keyboard's side, so it is asked
only where both are one terminal, this process is in front of it, and nothing was typed ahead;
every terminal answers the last question, and waiting for that has an end.
"""

import os
import re
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import Literal

_PATIENCE = 0.5  # seconds; a slow line to another continent answers in 0.3
_LEAST_CELL = 4  # pixels; less is no size of a letter

_DEVICE = "\x1b[c"  # "what are you?": any terminal answers, after all earlier questions
_DEVICE_ANSWER = re.compile(r"\x1b\[\?([\d;]*)c")
_SIXEL = "4"  # among the parts that a device has, after its kind
_CELL = "\x1b[16t"
_CELL_ANSWER = re.compile(r"\x1b\[6;(\d+);(\d+)t")
_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # may I send a picture of one pixel?
_KITTY_ANSWER = "\x1b_Gi=31;OK\x1b\\"


@dataclass(frozen=True)
class TerminalAnswer:
    """What a terminal draws pictures with.

    Parameters
    ----------
    protocol
        How pictures are sent.
    cell
        Width and height of a character, pixels.
    """

    protocol: Literal["kitty", "sixel"]
    cell: tuple[int, int]


@cache
def terminal_answer() -> TerminalAnswer | None:
    """Ask the terminal once; None where it cannot be asked or draws no pictures."""
    streams = _one_terminal()
    if streams is None:
        return None
    cell = _cell_size(streams[1])
    questions = ("" if cell else _CELL) + (_KITTY if _may_be_kitty() else "") + _DEVICE
    reply = _ask(*streams, questions)
    if cell is None and (told := _CELL_ANSWER.search(reply)):
        cell = (int(told[2]), int(told[1]))
    if cell is None or min(cell) < _LEAST_CELL:
        return None
    if _KITTY_ANSWER in reply:
        return TerminalAnswer("kitty", cell)
    device = _DEVICE_ANSWER.search(reply)
    return TerminalAnswer("sixel", cell) if device and _SIXEL in device[1].split(";")[1:] else None


def _one_terminal() -> tuple[int, int] | None:
    """Return the numbers of stdin and stdout where both are the terminal that we may ask."""
    if sys.platform == "win32" or os.environ.get("TERM", "") in ("", "dumb", "linux"):
        return None
    try:
        keys, screen = (stream.fileno() for stream in (sys.__stdin__, sys.__stdout__) if stream)
        same = os.fstat(keys).st_rdev == os.fstat(screen).st_rdev
        # To ask from the background would stop the process until it is brought to the front.
        return (keys, screen) if same and os.tcgetpgrp(keys) == os.getpgrp() else None
    except (OSError, ValueError):  # a stream that is closed, missing or no terminal of ours
        return None


def _may_be_kitty() -> bool:
    """Tell whether Kitty's question does no harm: tmux takes it for a title, others print it."""
    term = os.environ.get("TERM", "")
    if "TMUX" in os.environ or "STY" in os.environ or term.startswith(("tmux", "screen")):
        return False
    return "KITTY_WINDOW_ID" in os.environ or term in ("xterm-kitty", "xterm-ghostty")


def _cell_size(screen: int) -> tuple[int, int] | None:
    """Return width and height of a character as the system knows them, without a question."""
    if sys.platform == "win32":
        return None
    import fcntl
    import struct
    import termios

    try:
        answer = fcntl.ioctl(screen, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if rows and columns and width and height else None


def _ask(keys: int, screen: int, questions: str) -> str:
    """Send questions, the device's last, and return what comes back in time."""
    if sys.platform == "win32":
        return ""
    import select
    import termios
    import tty

    reply = ""
    before = termios.tcgetattr(keys)
    try:
        tty.setcbreak(keys, termios.TCSANOW)  # answers are not echoed, and come without Enter
        if select.select([keys], [], [], 0)[0]:
            return ""  # typed ahead: these keys are for the shell
        os.write(screen, questions.encode())
        end = time.monotonic() + _PATIENCE
        while not _DEVICE_ANSWER.search(reply):
            if not select.select([keys], [], [], max(0.0, end - time.monotonic()))[0]:
                return ""
            byte = os.read(keys, 1)  # one by one: what is typed after the answer stays there
            if not byte:
                return ""
            reply += byte.decode("latin-1")
        return reply
    finally:
        termios.tcsetattr(keys, termios.TCSANOW, before)
