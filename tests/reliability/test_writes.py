"""Every write is whole or absent: each system call fails once, and what was there stays."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from cnncli import files
from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.cli import main
from cnncli.errors import ExitCode
from cnncli.files import atomic_write
from cnncli.resources import shipped_weights
from tests.conftest import ROOT, CliRunner
from tests.reliability.hostile import image_of

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_no_other_place_opens_a_file_for_writing() -> None:
    """Every ``open`` for writing, ``write_bytes``, ``save`` to a path … is inside the writer."""
    import ast

    suspects = []
    for path in sorted((ROOT / "cnncli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = name or (node.func.id if isinstance(node.func, ast.Name) else "")
            modes = [
                argument.value
                for argument in [*node.args, *(k.value for k in node.keywords if k.arg == "mode")]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            writes = any(set(mode) <= set("rwxab+t") and set(mode) & set("wxa+") for mode in modes)
            if (name in ("open", "fdopen") and writes) or name in ("write_bytes", "write_text"):
                suspects.append(f"{path.relative_to(ROOT)}:{name}")
    allowed = {
        "cnncli/files.py:open",  # the writer itself
    }
    assert set(suspects) <= allowed
    assert allowed <= set(suspects)  # the search finds what it looks for


# Each command that writes, and what it is given beside its outputs.
WRITERS: dict[str, list[str]] = {
    "convolve to png": ["convolve", "in.png", "-f", "blur", "-o", "out.png", "-q"],
    "convolve to jpeg": ["convolve", "in.png", "-f", "blur", "-o", "out.jpg", "-q"],
    "convolve to npy": ["convolve", "in.png", "-f", "sobel_x", "--range", "raw", "-o", "out.npy"],
    "convolve to tiff": ["convolve", "in.png", "-f", "sobel_x", "--range", "raw", "-o", "out.tif"],
    "convolve to ppm": ["convolve", "in.png", "-f", "blur", "-o", "out.ppm", "-q"],
    "pool": ["pool", "in.png", "-o", "out.png", "-q"],
    "batch": ["pool", "in.png", "two.png", "-o", "out", "-q"],
    "features": ["features", "in.png", "-o", "out.png", "--npz", "out.npz", "-q"],
    "seen": ["predict", "in.png", "--save-preprocessed", "out", "-q"],
}


class Fault:
    """Makes one call of one function of the operating system fail."""

    def __init__(self, real: Callable[..., Any], at: int, code: int) -> None:
        self.real, self.left, self.code, self.hit = real, at, code, False

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.hit = True
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments, **named)


class FaultyFile:
    """A file whose n-th write fails, after half of its bytes have gone out."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self._file, self._fault = file, fault

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view[: len(view) // 2])
        self._fault()
        self._file.write(view[len(view) // 2 :])
        return len(view)

    def flush(self) -> None:
        self._fault()
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        if name == "fileno":  # Pillow would write past this object
            raise AttributeError(name)
        return getattr(self._file, name)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with two inputs and every earlier output, and go there."""
    monkeypatch.chdir(tmp_path)
    image_of("RGB").save("in.png")
    image_of("L").save("two.png")
    for name in ("out.png", "out.jpg", "out.npy", "out.tif", "out.ppm", "out.npz"):
        Path(name).write_bytes(b"the earlier " + name.encode())
    return tmp_path


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


def faults(monkeypatch: pytest.MonkeyPatch, where: str, at: int, code: int) -> Fault:
    fault = Fault(lambda *_, **__: None, at, code)
    if where == "write":
        real_open = files._create

        def create(temporary: Path) -> Any:
            return FaultyFile(real_open(temporary), fault)

        monkeypatch.setattr(files, "_create", create)
        monkeypatch.setattr(os, "fsync", lambda _: None)  # needs the number of a real file
    else:
        owner: Any = {"replace": Path, "mkdir": Path}.get(where, os)
        fault.real = getattr(owner, where)
        replacement = fault if owner is os else lambda *a, **k: fault(*a, **k)  # noqa: PLW0108 (binds self)
        monkeypatch.setattr(owner, where, replacement)
    return fault


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Give back the signal handlers that main() of an in-process run has set."""
    import signal

    names = [n for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("open", errno.EACCES),
        ("open", errno.EMFILE),
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.EIO),
        ("fsync", errno.EIO),
        ("replace", errno.EPERM),
        ("mkdir", errno.EROFS),
    ],
)
@pytest.mark.filterwarnings("ignore")  # the in-process run does not own the filters
def test_each_call_of_a_run_fails_once(
    command: str,
    where: str,
    code: int,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = snapshot(workplace)
    injected = 0
    for at in range(1, 40):
        with monkeypatch.context() as patch:
            fault = faults(patch, where, at, code)
            status = run(WRITERS[command])
        shown = capsys.readouterr().err
        if not fault.hit:
            break
        injected += 1
        # A failing write may be one that the encoder can do without; then the run must be whole.
        after = snapshot(workplace)
        rests = [name for name in after if name.endswith(".tmp")]
        assert rests == []
        assert "Traceback" not in shown
        assert {name: after[name] for name in ("in.png", "two.png")} == {
            name: before[name] for name in ("in.png", "two.png")
        }
        if status == ExitCode.ERROR:
            assert shown.splitlines()[-1].startswith("error: ")
        else:
            assert status == ExitCode.PARTIAL or where == "open"
        if status == ExitCode.ERROR and command not in ("batch", "features"):
            assert {name: data for name, data in after.items() if name in before} == before
        for name in set(after) - set(before):
            (workplace / name).unlink()
        for name, data in before.items():
            (workplace / name).write_bytes(data)
    if where in ("write", "fsync", "replace"):
        assert injected >= 1  # the fault was reached
    assert at < 39


def test_a_checkpoint_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = read_checkpoint(shipped_weights())
    target = tmp_path / "a.safetensors"
    target.write_bytes(b"the earlier weights")
    for where, code in (("write", errno.ENOSPC), ("fsync", errno.EIO), ("replace", errno.EACCES)):
        with monkeypatch.context() as patch:
            fault = faults(patch, where, 1, code)
            with pytest.raises(OSError, match=os.strerror(code)):
                write_checkpoint(target, checkpoint)
            assert fault.hit
        assert snapshot(tmp_path) == {"a.safetensors": b"the earlier weights"}


# --- what may not be replaced


def test_output_onto_an_input_is_refused_however_it_is_called(
    cli: CliRunner, tmp_path: Path
) -> None:
    image_of("L").save(tmp_path / "in.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.png").symlink_to("in.png")
    os.link(tmp_path / "in.png", tmp_path / "hard.png")
    before = snapshot(tmp_path)
    for output in ("in.png", "sub/../in.png", "link.png", "hard.png"):
        run = cli("pool", "in.png", "-o", output)
        assert run.returncode == 1, output
        assert run.stderr == f"error: {Path(output)} is an input; name another output with -o\n"
    assert snapshot(tmp_path) == before


def test_an_input_in_other_letters_is_the_same_file(tmp_path: Path) -> None:
    """A file system that ignores case shows the same file under both names; so does this one."""
    from cnncli.batch.inputs import Inputs
    from cnncli.batch.outputs import OutputPaths
    from cnncli.errors import ImageWriteError
    from cnncli.images import read_picture

    image_of("L").save(tmp_path / "photo.png")
    os.link(tmp_path / "photo.png", tmp_path / "PHOTO.png")  # what samefile() sees there
    source = str(tmp_path / "photo.png")
    outputs = OutputPaths(Inputs([source]), str(tmp_path / "PHOTO.png"), "blur")
    with pytest.raises(ImageWriteError, match="is an input"):
        outputs.path_for(source, read_picture(source))


def test_results_that_differ_in_case_only_do_not_replace_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.batch import outputs
    from cnncli.batch.inputs import Inputs
    from cnncli.errors import UsageError

    inputs = Inputs([str(tmp_path / "one" / "a.png"), str(tmp_path / "two" / "A.png")])
    monkeypatch.setattr(outputs, "IGNORES_CASE", True)  # as macOS and Windows do
    with pytest.raises(UsageError, match="would both become"):
        outputs.OutputPaths(inputs, str(tmp_path / "out"), "blur")
    monkeypatch.setattr(outputs, "IGNORES_CASE", False)
    outputs.OutputPaths(inputs, str(tmp_path / "out"), "blur")


def test_numbers_and_seen_pictures_do_not_replace_an_input(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L", 28, 28).save(tmp_path / "a.png")
    image_of("L", 28, 28).save(tmp_path / "a_seen.png")
    before = snapshot(tmp_path)
    run = cli("features", "a.png", "--npz", "a.png", "-o", "sheet.png")
    assert run.returncode == 1
    assert "a.png is an input" in run.stderr
    run = cli("predict", "a.png", "a_seen.png", "--save-preprocessed", ".")
    assert run.returncode in (1, 3)
    assert "a_seen.png is an input" in run.stderr
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_kernel_file_is_not_replaced_by_its_result(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L").save(tmp_path / "a.png")
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    before = snapshot(tmp_path)
    run = cli("convolve", "a.png", "--kernel-file", "k.npy", "--range", "raw", "-o", "k.npy")
    assert run.returncode == 1
    assert "k.npy is an input" in run.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_not_replaced(cli: CliRunner, tmp_path: Path) -> None:
    image_of("L").save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    run = cli("pool", "a.png", "-o", "pipe.png")
    assert run.returncode == 1
    assert run.stderr.startswith("error: pipe.png: it exists and is no regular file")
    assert stat.S_ISFIFO((tmp_path / "pipe.png").stat().st_mode)
    (tmp_path / "null.png").symlink_to("/dev/null")
    assert cli("pool", "a.png", "-o", "null.png").returncode == 1
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_write_protected_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o444)
    if AS_ROOT:  # for whom nothing is write-protected
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(PermissionError, match="write-protected"), atomic_write(path):
        pass
    assert path.read_bytes() == b"old"


def test_permissions_survive_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o664)
    old = os.umask(0o077)
    try:
        with atomic_write(path) as file:
            file.write(b"new")
    finally:
        os.umask(old)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert path.read_bytes() == b"new"


# --- the real thing, where this machine allows it


@pytest.mark.skipif(not AS_ROOT or not shutil.which("mount"), reason="mounting needs root")
def test_a_disk_that_is_really_full(cli: CliRunner, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        image_of("RGB", 300, 300).save(tmp_path / "in.png")
        (disk / "old.ppm").write_bytes(b"earlier")
        for target in ("old.ppm", "new.ppm"):
            run = cli("pool", "in.png", "--stride", "1", "-o", f"disk/{target}")
            assert run.returncode == 1
            assert run.stderr.splitlines()[-1].startswith(f"error: disk/{target}: No space left")
        assert snapshot(disk) == {"old.ppm": b"earlier"}
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = cli("pool", "in.png", "-o", "disk/new.png")
        assert run.returncode == 1
        assert "Read-only file system" in run.stderr
        assert snapshot(disk) == {"old.ppm": b"earlier"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not AS_ROOT or not shutil.which("setpriv"), reason="needs another user")
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    # A user without rights writes into a folder that is not theirs.
    image_of("L").save(tmp_path / "in.png")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    probe = subprocess.run(
        [*command, sys.executable, "-c", "import cnncli"], check=False, capture_output=True
    )
    if probe.returncode:
        pytest.skip("that user cannot run this interpreter")
    run = subprocess.run(
        [*command, sys.executable, "-m", "cnncli", "pool", "in.png"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert "Traceback" not in run.stderr
    assert sorted(snapshot(tmp_path)) == ["in.png"]
