"""Kitty and Sixel: what a terminal is asked, when it is left alone, and what it is sent."""

import contextlib
import importlib.util
import io
import json
import os
import select
import struct
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cnncli.images.scaling import stretch
from cnncli.resources import sample_image
from cnncli.show import graphics
from cnncli.show.asking import TerminalAnswer
from cnncli.show.picture import show_pictures

fcntl = pytest.importorskip("fcntl", reason="needs pseudo-terminals")
termios = pytest.importorskip("termios", reason="needs pseudo-terminals")

DEVICE, CELL, KITTY = b"\x1b[c", b"\x1b[16t", b"\x1b_Gi=31"
SIXEL_TERMINAL = {DEVICE: b"\x1b[?62;4;22c", CELL: b"\x1b[6;20;10t"}
KITTY_TERMINAL = {KITTY: b"\x1b_Gi=31;OK\x1b\\", CELL: b"\x1b[6;20;10t", DEVICE: b"\x1b[?62;c"}
AS_KITTY = TerminalAnswer("kitty", (10, 20))
PLAIN_TERMINAL = {DEVICE: b"\x1b[?1;2c"}
ASK = "from cnncli.show.asking import terminal_answer as a; import sys; print(a(), file=sys.stderr)"


class Terminal:
    """The other side of a pseudo-terminal: what a program writes, and prepared answers to it."""

    def __init__(self, answers: dict[bytes, bytes], pixels: bool) -> None:
        self.answers, self.written, self.asked = answers, b"", list[bytes]()
        self.near, self.far = os.openpty()
        size = (30, 100, 1000, 600) if pixels else (30, 100, 0, 0)
        fcntl.ioctl(self.far, termios.TIOCSWINSZ, struct.pack("HHHH", *size))
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        answered = 0
        while not self.ended.is_set() or select.select([self.near], [], [], 0)[0]:
            if not select.select([self.near], [], [], 0.05)[0]:
                continue
            self.written += os.read(self.near, 65536)
            new = self.written[answered:]
            for question in (KITTY, CELL, DEVICE):
                if question in new:
                    answered = len(self.written)
                    self.asked.append(question)
                    os.write(self.near, self.answers.get(question, b""))

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        os.close(self.near)
        os.close(self.far)


@contextlib.contextmanager
def terminal(answers: dict[bytes, bytes], *, pixels: bool = True) -> Iterator[Terminal]:
    served = Terminal(answers, pixels)
    try:
        yield served
    finally:
        served.close()


def run_in(
    served: Terminal, code: str, *arguments: str, stdin: int | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run Python code in front of a terminal, as a shell would."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY", "COLUMNS")}
    take_it = "import fcntl, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n"
    return subprocess.run(
        [sys.executable, "-c", take_it + code, *arguments],
        stdin=served.far if stdin is None else stdin,
        stdout=served.far,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        timeout=60,
        check=False,
        env={**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env},
    )


@pytest.mark.parametrize(
    ("answers", "pixels", "env", "asked", "expected"),
    [
        (SIXEL_TERMINAL, True, {}, [DEVICE], TerminalAnswer("sixel", (10, 20))),
        (SIXEL_TERMINAL, False, {}, [CELL, DEVICE], TerminalAnswer("sixel", (10, 20))),
        (
            KITTY_TERMINAL,
            True,
            {"TERM": "xterm-kitty"},
            [KITTY, DEVICE],
            AS_KITTY,
        ),
        (KITTY_TERMINAL, True, {"KITTY_WINDOW_ID": "1", "TMUX": "x"}, [DEVICE], None),
        (KITTY_TERMINAL, True, {}, [DEVICE], None),  # not said to be Kitty: its question may show
        (PLAIN_TERMINAL, True, {}, [DEVICE], None),
        (PLAIN_TERMINAL, False, {}, [CELL, DEVICE], None),
        ({DEVICE: SIXEL_TERMINAL[DEVICE]}, False, {}, [CELL, DEVICE], None),  # no size: no aspect
        ({}, True, {}, [DEVICE], None),  # mute: the wait ends
        (SIXEL_TERMINAL, True, {"TERM": "dumb"}, [], None),
        (SIXEL_TERMINAL, True, {"TERM": "linux"}, [], None),
    ],
)
def test_a_terminal_is_asked_only_what_does_no_harm(
    answers: dict[bytes, bytes],
    pixels: bool,
    env: dict[str, str],
    asked: list[bytes],
    expected: TerminalAnswer | None,
) -> None:
    with terminal(answers, pixels=pixels) as served:
        before = termios.tcgetattr(served.far)
        run = run_in(served, ASK, **env)
        assert termios.tcgetattr(served.far) == before
    assert run.stderr == f"{expected}\n"
    assert sorted(served.asked) == sorted(asked)


def test_what_was_typed_ahead_is_left_to_the_shell() -> None:
    with terminal(SIXEL_TERMINAL) as served:
        os.write(served.near, b"ls\n")
        assert run_in(served, ASK).stderr == "None\n"
        assert os.read(served.far, 10) == b"ls\n"
    assert served.asked == []


def test_a_pipe_for_stdin_is_never_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a picture")
    with terminal(SIXEL_TERMINAL) as served:
        assert run_in(served, ASK, stdin=reading).stderr == "None\n"
    assert served.asked == []
    assert os.read(reading, 100) == b"a picture"
    os.close(reading)
    os.close(writing)


def test_a_process_in_the_background_does_not_ask() -> None:
    code = (
        "import os, sys, subprocess\n"
        "run = subprocess.Popen([sys.executable, '-c', sys.argv[1]], process_group=0)\n"
        "assert os.waitpid(run.pid, os.WUNTRACED)[1] == 0, 'stopped'\n"
    )
    with terminal(SIXEL_TERMINAL) as served:
        run = run_in(served, code, ASK)
    assert (run.returncode, run.stderr) == (0, "None\n")
    assert served.asked == []


# --- drawing ---------------------------------------------------------------------------------


class FakeImage:
    """What is used of textual-image's classes, with a misdeed of each kind."""

    made: list[tuple[tuple[int, int], int, int]] = []  # noqa: RUF012 (emptied by the fixture)

    def __init__(self, image: io.BytesIO, width: int, height: int) -> None:
        self.rows = height
        FakeImage.made.append((Image.open(image).size, width, height))

    def __rich__(self) -> str:
        assert sys.__stdout__ is not None
        assert not sys.__stdout__.isatty()  # so it asks nothing
        sys.__stdout__.write("<sent>")
        size = os.environ["TEXTUAL_CELL_WIDTH"], os.environ["TEXTUAL_CELL_HEIGHT"]
        return "\n".join(["x".join(size)] * self.rows)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    package, room = types.ModuleType("textual_image"), types.ModuleType("textual_image.renderable")
    package.__spec__ = importlib.util.spec_from_loader("textual_image", None)
    room.SixelImage = room.TGPImage = FakeImage  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "textual_image", package)
    monkeypatch.setitem(sys.modules, "textual_image.renderable", room)
    monkeypatch.setattr(graphics, "terminal_answer", lambda: TerminalAnswer("sixel", (10, 20)))
    monkeypatch.setattr(FakeImage, "made", [])
    return Screen()


def show(
    screen: Screen, pictures: list[tuple[str, np.ndarray]], rows: int = 0, **options: object
) -> str:
    settings = {"width": 42, "height": 30, "color_system": "truecolor", "force_terminal": True}
    with contextlib.redirect_stdout(screen):
        show_pictures(Console(**settings | options), pictures, max_height=rows)  # type: ignore[arg-type]
    return screen.getvalue()


PICTURES = [("before", np.zeros((30, 60, 3), np.uint8)), ("after", np.zeros((10, 10), np.uint8))]


def test_pixels_are_sent_in_whole_characters_with_their_aspect(screen: Screen) -> None:
    stream = sys.__stdout__
    text = show(screen, PICTURES, rows=8)
    # 20 columns of 10 pixels and 8 rows of 20: 60x30 fills the width, 10x10 the height.
    assert FakeImage.made == [((200, 100), 20, 5), ((160, 160), 16, 8)]
    assert text.startswith("<sent><sent>")  # the pixels, then what refers to them
    assert "before" in text
    assert "▀" not in text
    assert sys.__stdout__ is stream
    assert "TEXTUAL_CELL_WIDTH" not in os.environ


def test_no_side_is_longer_than_a_terminal_takes(screen: Screen) -> None:
    show(screen, [("", np.zeros((2000, 2000), np.uint8))], width=400, height=99)
    (((width, height), columns, rows),) = FakeImage.made
    assert (width, height) == (columns * 10, rows * 20)
    assert max(width, height) <= 1000


@pytest.mark.parametrize(
    "options", [{"no_color": True}, {"color_system": "standard"}, {"file": Screen()}]
)
def test_other_consoles_get_characters(screen: Screen, options: dict[str, object]) -> None:
    assert "<sent>" not in show(screen, PICTURES, **options)
    assert FakeImage.made == []


def test_kitty_needs_every_colour(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "terminal_answer", lambda: AS_KITTY)
    assert "▀" in show(screen, PICTURES, color_system="256")
    assert "<sent>" in show(screen, PICTURES)


def test_a_version_that_lacks_the_classes_is_no_error(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["textual_image.renderable"], "TGPImage")
    assert "▀" in show(screen, PICTURES)


RUN = """
import json, sys, types
import importlib.util
package = types.ModuleType("textual_image")
package.__spec__ = importlib.util.spec_from_loader("textual_image", None)
class Room(types.ModuleType):
    def __getattr__(self, name):
        print("used", file=sys.stderr)
        raise ImportError(name)
sys.modules["textual_image"] = package
sys.modules["textual_image.renderable"] = Room("textual_image.renderable")
from cnncli.cli import main
main(json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("arguments", "env", "used"),
    [
        (["--show"], {}, True),
        (["--no-show"], {}, False),
        (["--show"], {"NO_COLOR": "1"}, False),
        (["--help"], {}, False),
    ],
)
def test_the_extra_is_loaded_only_to_draw(
    arguments: list[str], env: dict[str, str], used: bool, tmp_path: Path
) -> None:
    line = ["convolve", str(sample_image("digit-1-28x28.png")), "-f", "blur"]
    line += ["-o", str(tmp_path / "out.png"), *arguments]
    with terminal(SIXEL_TERMINAL) as served:
        run = run_in(served, RUN, json.dumps(line), **env)
    assert run.returncode == 0, run.stderr
    assert ("used" in run.stderr) is used
    assert served.asked == ([DEVICE] if used else [])


@pytest.mark.skipif(
    importlib.util.find_spec("textual_image") is None, reason="needs cnncli[graphics]"
)
@pytest.mark.parametrize(
    ("answers", "env", "start"),
    [
        (SIXEL_TERMINAL, {}, b"\x1bP0;0;0q"),
        (KITTY_TERMINAL, {"TERM": "xterm-kitty"}, b"\x1b_Gi="),
    ],
)
def test_the_real_package_draws_and_asks_nothing_itself(
    answers: dict[bytes, bytes], env: dict[str, str], start: bytes, tmp_path: Path
) -> None:
    code = "import json, sys; from cnncli.cli import main; main(json.loads(sys.argv[1]))"
    line = ["convolve", str(sample_image("scene.png")), "-f", "blur", "--show"]
    with terminal(answers, pixels=False) as served:
        run = run_in(served, code, json.dumps([*line, "-o", str(tmp_path / "out.png")]), **env)
    assert run.returncode == 0, run.stderr
    assert start in served.written.partition(DEVICE)[2]
    assert served.written.count(DEVICE) == served.written.count(CELL) == 1


@pytest.mark.parametrize(("width", "height"), [(7, 2), (2, 9), (3, 5)])
def test_stretch_gives_the_size_asked_for(width: int, height: int) -> None:
    pixels = np.arange(45, dtype=np.uint8).reshape(5, 3, 3)
    stretched = stretch(pixels, width, height)
    assert stretched.shape == (height, width, 3)
    if (width, height) == (3, 5):
        assert np.array_equal(stretched, pixels)
