"""Pipes, closed and full streams, signals: one line, the right exit code, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import CliRunner
from tests.reliability.hostile import encoded, image_of, png
from tests.sessions import check_nobody_is_left

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells and signals of POSIX")

CNNCLI = f"{sys.executable} -m cnncli"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line of bash; a pipe's exit code is that of the first command that fails."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("cnncli", CNNCLI)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        cwd=folder,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image_of("RGB").save(tmp_path / "a.png")
    return tmp_path


def test_from_stdin_to_stdout_and_on(folder: Path) -> None:
    run = shell(
        "cat a.png | cnncli convolve - -f blur -o - -q | cnncli pool - -o - -q > b.png", folder
    )
    assert (run.returncode, run.stderr) == (0, "")
    from PIL import Image

    with Image.open(folder / "b.png") as image:
        assert image.size == (20, 15)


def test_pipes_with_a_name_are_pictures_and_no_weights(folder: Path) -> None:
    image_of("L").save(folder / "g.pgm")
    run = shell("cnncli pool <(cat g.pgm) -o b.pgm -q && cnncli pool <(cat a.png) -o c.png", folder)
    assert run.returncode == 0, run.stderr
    run = shell("cnncli predict a.png --weights <(echo no)", folder)
    assert run.returncode == 1
    assert run.stderr.startswith("error: cannot read the weights /dev/fd/")


@pytest.mark.parametrize(
    "command",
    [
        "cnncli convolve a.png a2.png a3.png -f blur --json",
        "cnncli pool a.png -o -",
        "cnncli summary",
    ],
)
def test_a_reader_that_leaves_ends_it_quietly(command: str, folder: Path) -> None:
    for name in ("a2.png", "a3.png"):
        (folder / name).write_bytes((folder / "a.png").read_bytes())
    run = shell(f"set +o pipefail; {command} 2> err | head -c 1 > /dev/null", folder)
    assert run.returncode == 0
    said = (folder / "err").read_text()
    assert "Traceback" not in said
    assert "Broken pipe" not in said
    assert "Exception" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "command",
    [
        "cnncli convolve a.png -f blur -q",
        "cnncli pool a.png -o - -q",
        "cnncli predict a.png --json -q",
        "cnncli --help",
    ],
)
def test_a_full_stdout_is_exit_1_and_one_line(command: str, folder: Path) -> None:
    run = shell(f"{command} > /dev/full", folder)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("error: ")
    assert "No space left on device" in run.stderr


def test_a_full_stderr_changes_nothing_but_what_is_said(folder: Path) -> None:
    assert shell("cnncli pool missing.png 2> /dev/full", folder).returncode == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("cnncli convolve a.png -f blur -o b.png >&-", 0),
        ("cnncli convolve a.png -f blur -o b.png <&- >&- 2>&-", 0),
        ("cnncli predict a.png >&- 2>&-", 0),
        ("cnncli pool - <&-", 1),
        ("cnncli filters >&-", 0),
    ],
)
def test_closed_streams_are_empty_ones(command: str, code: int, folder: Path) -> None:
    run = shell(command, folder)
    assert run.returncode == code
    assert "Traceback" not in run.stderr
    assert "fault of cnncli" not in run.stderr
    if code == 0 and "-o b.png" in command:  # a closed stdout must not become the picture
        assert (folder / "b.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (["pool", "-"], b""),
        (["predict", "-"], b"no picture"),
        (["convolve", "-", "-f", "blur"], b"P5 3 3 255\n1"),
    ],
)
def test_stdin_that_is_no_picture(command: list[str], data: bytes, cli: CliRunner) -> None:
    run = cli(*command, stdin=data, text=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(b"error: stdin ")  # type: ignore[arg-type]


def test_warnings_of_libraries_are_not_shown(folder: Path) -> None:
    # An EXIF block that Pillow warns about, and numbers that NumPy warns about.
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x02\0\0\0\x01\0\x02\0\0\0\0\0"
    image_of("RGB").save(folder / "odd.jpg", exif=exif)
    run = shell("cnncli convolve odd.jpg -k '1e308 1e308'", folder)
    assert "Warning" not in run.stderr
    assert run.stderr.count("\n") == 1


# --- signals


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def interrupted(
    arguments: Sequence[str],
    folder: Path,
    number: int,
    after: float = 0.0,
    times: int = 1,
    results: int = 0,
    patience: float = 0.0,
) -> tuple[int, str]:
    """Start a run, send it a signal after some seconds and results, return how it ended.

    Its own worker processes may take the seconds of `patience` to notice that it is gone.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "cnncli", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(after)
    while process.poll() is None and len(list(folder.glob("out/*.png"))) < results:
        time.sleep(0.005)
    for _ in range(times):
        process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    check_nobody_is_left(process.pid, patience)
    return process.returncode, said


def batch_folder(folder: Path, count: int) -> set[str]:
    data = encoded(image_of("RGB", 640, 480), "PNG")
    for number in range(count):
        (folder / f"{number}.png").write_bytes(data)
    return names(folder)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_batch_without_rests(
    number: int, code: int, word: str, tmp_path: Path
) -> None:
    before = batch_folder(tmp_path, 120)
    command = ["convolve", ".", "-k", "1 2 3 4 5 4 3 2 1.5", "-o", "out/", "-q", "-j", "3"]
    status, said = interrupted(command, tmp_path, number, results=5)
    assert (status, said) == (code, f"error: {word}\n")
    new = names(tmp_path) - before
    assert 0 < len(new) < 120  # it was caught in the act
    assert not [name for name in new if name.endswith(".tmp")]
    for name in new:
        assert (tmp_path / name).read_bytes()[-8:-4] == b"IEND"


def check_end(number: int, status: int, said: str) -> None:
    """Check how a run ended that got a signal at some moment."""
    if number == signal.SIGINT and "(most recent call last)" in said:
        # It hit Python's own start, before a line of ours was read.
        assert f"{os.sep}cnncli{os.sep}" not in said
        return
    # Before the handlers are set the system ends it; after its end there is no signal.
    assert status in (0, 130 if number == signal.SIGINT else 143, -number), said
    if status > 0:
        assert said.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("after", [0.08, 0.12, 0.16, 0.2, 0.25, 0.3])
def test_a_signal_among_the_imports_does_not_hang(after: float, tmp_path: Path) -> None:
    # The picture is decoded in a thread while NumPy is imported: two threads import at once.
    image_of("RGB").save(tmp_path / "a.png")
    status, said = interrupted(["pool", "a.png", "-q"], tmp_path, signal.SIGINT, after)
    check_end(signal.SIGINT, status, said)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["convolve", "pool", "predict", "features"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_at_any_moment_leave_nothing(command: str, number: int, tmp_path: Path) -> None:
    before = batch_folder(tmp_path, 30)
    arguments = {
        "convolve": ["convolve", ".", "-f", "gaussian7", "-o", "out/", "-q"],
        "pool": ["pool", ".", "--mode", "median", "--size", "5", "-o", "out/", "-q"],
        "predict": ["predict", ".", "--save-preprocessed", "out", "-q"],
        "features": ["features", "1.png", "-o", "out.png", "--npz", "out.npz", "-q"],
    }[command]
    for step in range(16):
        status, said = interrupted(arguments, tmp_path, number, 0.15 + step * 0.1, 1 + step % 3)
        new = names(tmp_path) - before
        assert not [name for name in new if name.endswith(".tmp")]
        check_end(number, status, said)
        for name in new:
            (tmp_path / name).unlink()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_writer_that_is_interrupted_anywhere_removes_its_file(tmp_path: Path) -> None:  # noqa: C901
    """Raise KeyboardInterrupt at every line of the writer in turn."""
    from cnncli import files

    target = tmp_path / "a.bin"
    stopped = 0
    for stop_at in range(1, 200):
        target.write_bytes(b"old")
        seen = 0

        def trace(frame: object, event: str, _: object, stop_at: int = stop_at) -> object:
            nonlocal seen
            if getattr(frame, "f_code").co_filename != files.__file__:  # noqa: B009
                return None
            if event == "line":
                seen += 1
                if seen == stop_at:
                    raise KeyboardInterrupt
            return trace

        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            with files.atomic_write(target) as file:
                file.write(b"new")
        except KeyboardInterrupt:
            stopped += 1
        finally:
            sys.settrace(None)
            if files._may_begin.locked():  # stopped between two steps of `with`
                files._may_begin.release()
        assert target.read_bytes() in (b"old", b"new")
        rests = [path.name for path in tmp_path.iterdir() if path != target]
        if rests:  # stopped within the removal itself: what the process does when it leaves
            assert files._unfinished
            for temporary in tuple(files._unfinished):
                temporary.unlink()
            files._unfinished.clear()
            assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
        if seen < stop_at:
            break
    assert stopped > 15


def test_a_process_that_leaves_takes_its_unfinished_files_along(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time; from pathlib import Path; from cnncli import cli, files\n"
        "def write(n):\n"
        "    with files.atomic_write(Path(f'{n}.bin')) as f:\n"
        "        f.write(b'x'); time.sleep(30)\n"
        "for n in range(4): threading.Thread(target=write, args=(n,)).start()\n"
        "while len(list(Path().iterdir())) < 4: time.sleep(0.01)\n"
        "cli._leave(130)\n"
    )
    start = time.monotonic()
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False)
    assert run.returncode == 130
    assert time.monotonic() - start < 20
    assert list(tmp_path.iterdir()) == []


def test_a_run_under_nohup_ignores_the_closed_terminal(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from cnncli import cli; cli._end_on_signals()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert callable(signal.getsignal(signal.SIGTERM))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
