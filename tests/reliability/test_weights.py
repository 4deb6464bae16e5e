"""Other people's weights: data that is checked before it is used, and never code."""

import copy
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnncli.checkpoint import MAX_RECORD_LENGTH, read_checkpoint
from cnncli.errors import CheckpointError
from cnncli.resources import shipped_weights
from tests.conftest import CliRunner

RAW = shipped_weights().read_bytes()
LENGTH = int.from_bytes(RAW[:8], "little")
HEADER: dict[str, Any] = json.loads(RAW[8 : 8 + LENGTH])
BODY = RAW[8 + LENGTH :]
RECORD: dict[str, Any] = json.loads(HEADER["__metadata__"]["cnncli"])


def packed(header: dict[str, Any], body: bytes = BODY) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def with_record(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the shipped weights with another metadata record."""
    record = copy.deepcopy(RECORD)
    change(record)
    return packed({**HEADER, "__metadata__": {"cnncli": json.dumps(record)}})


def with_tensor(**fields: Any) -> bytes:
    header = copy.deepcopy(HEADER)
    header["conv1.weight"] |= fields
    return packed(header)


def setting(*path: str, to: Any) -> bytes:
    def change(record: dict[str, Any]) -> None:
        for key in path[:-1]:
            record = record[key]
        record[path[-1]] = to

    return with_record(change)


def sized(height: int, width: int) -> bytes:
    def change(record: dict[str, Any]) -> None:
        for part in ("model", "preprocessing"):
            record[part] |= {"height": height, "width": width}

    return with_record(change)


REFUSED: dict[str, bytes] = {
    **{
        f"mean {value!r:.9}": setting("preprocessing", "mean", to=[value])
        for value in (float("nan"), float("inf"), 1e308, "x", None, True, [1], 10**400)
    },
    **{
        f"std {value!r:.9}": setting("preprocessing", "std", to=[value])
        for value in (float("nan"), float("inf"), 0, -1, 1e-320, "x", None, True)
    },
    **{
        f"{part} {key} {value}": setting(part, key, to=value)
        for part in ("model", "preprocessing")
        for key in ("height", "width")
        for value in (10**12, 0, -28, "28", 28.5, None, True)
    },
    "sizes without weights": sized(3, 10**9),
    "sizes of a tower": sized(4, 10**9),
    "channels": setting("model", "in_channels", to=10**9),
    "outputs": setting("model", "num_classes", to=10**9),
    **{f"format {value!r}": setting("format", to=value) for value in (True, 1.0, "1", None, 0)},
    "a number for a class": setting("classes", to=list(range(10))),
    "one text for ten classes": setting("classes", to="0123456789"),
    "eleven classes": setting("classes", to=["a"] * 11),
    "an endless class": setting("classes", to=["a" * 10_000] * 10),
    "a nameless class": setting("classes", to=[""] * 10),
    "card of pairs": setting("card", to=[["a", "b"]]),
    "no card": setting("card", to=None),
    "unknown preprocessing": setting("preprocessing", "kind", to="magic"),
    "unknown network": setting("model", "name", to="os.system"),
    "more fields": setting("model", "code", to="print(1)"),
    "record is a list": packed({**HEADER, "__metadata__": {"cnncli": "[1]"}}),
    "record is a number": packed({**HEADER, "__metadata__": {"cnncli": 5}}),
    "record is no JSON": packed({**HEADER, "__metadata__": {"cnncli": "{"}}),
    "record is a pit": packed({**HEADER, "__metadata__": {"cnncli": "[" * 100_000}}),
    "metadata is text": packed({**HEADER, "__metadata__": "x"}),
    "offsets of another world": with_tensor(data_offsets=[0, 10**30]),
    "negative offsets": with_tensor(data_offsets=[-576, 0]),
    "shape beyond memory": with_tensor(shape=[2**62, 2**62]),
    "shape of five": with_tensor(shape=[16, 1, 3, 3, 1]),
    "shape with a fraction": with_tensor(shape=[16, 1, 3, 3.0]),
    "other numbers": with_tensor(dtype="F64"),
    "objects": with_tensor(dtype="O"),
    "no tensor": packed({**HEADER, "conv1.weight": "x"}),
    "overlap": packed({**HEADER, "conv1.bias": HEADER["fc2.bias"]}),
    "not a number": packed(HEADER, b"\xff" * len(BODY)),
    "absurd weights": packed(HEADER, struct.pack("<f", 3e38) * (len(BODY) // 4)),
    "too short": RAW[:-4],
    "too long": RAW + b"x",
    "header only": RAW[: 8 + LENGTH],
    "half a header": RAW[: 8 + LENGTH // 2],
    "endless header": (2**63).to_bytes(8, "little") + RAW[8:],
    "header above the limit": (MAX_RECORD_LENGTH + 1).to_bytes(8, "little") + RAW[8:],
    "a pit for a header": (200_000).to_bytes(8, "little") + b'{"a":' + b"[" * 199_995,
    "nothing in it": packed({}, b""),
    "metadata only": packed({"__metadata__": HEADER["__metadata__"]}, b""),
    "empty": b"",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_checkpoint_is_one_line_before_anything_is_allocated(
    name: str, tmp_path: Path
) -> None:
    import tracemalloc

    path = tmp_path / "bad.safetensors"
    path.write_bytes(REFUSED[name])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_the_unchanged_parts_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "good.safetensors"
    path.write_bytes(with_record(dict))
    assert read_checkpoint(path).classes == tuple("0123456789")


def test_a_newer_version_says_how_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    path.write_bytes(setting("format", to=2))
    with pytest.raises(CheckpointError, match=r"format version 2.*pip install --upgrade cnncli"):
        read_checkpoint(path)


def test_class_names_and_cards_cannot_steer_the_terminal(cli: CliRunner, tmp_path: Path) -> None:
    evil = "\x1b]0;pwned\x07\x1b[2J\n[bold]x[/]"

    def change(record: dict[str, Any]) -> None:
        record["classes"] = [evil + str(n) for n in range(10)]
        record["card"] = {evil: evil, "data": evil, "machine": [evil]}

    (tmp_path / "evil.safetensors").write_bytes(with_record(change))
    from cnncli.resources import sample_image

    digit = sample_image("digit-7-pen.jpg")
    for command in (
        ["summary", "evil.safetensors"],
        ["predict", digit, "-w", "evil.safetensors"],
        ["features", digit, "-w", "evil.safetensors", "-o", "f.png"],
    ):
        run = cli(*command)
        assert run.returncode == 0, run.stderr
        assert "\x1b]" not in run.stdout + run.stderr
        assert "\x1b[2J" not in run.stdout + run.stderr
        assert "\x07" not in run.stdout + run.stderr


# --- pickles


class Payload:
    """Unpickling this creates a file: the harmless stand-in for any code."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def torch_zip(pickled: bytes, *records: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", b"3\n")
        for name, data in records:
            archive.writestr(f"archive/{name}", data)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors", ".bin", ""])
@pytest.mark.parametrize("form", ["zip", "pickle", "pickle of protocol 0", "nested"])
def test_a_malicious_pickle_never_runs(form: str, suffix: str, tmp_path: Path) -> None:
    from cnncli.commands._weights import open_weights

    mark = tmp_path / "pwned"
    payload = Payload(mark)
    data = {
        "zip": torch_zip(pickle.dumps(payload)),
        "pickle": pickle.dumps(payload),
        "pickle of protocol 0": pickle.dumps(payload, 0),
        "nested": torch_zip(pickle.dumps({"conv1.weight": payload})),
    }[form]
    path = tmp_path / f"evil{suffix}"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        open_weights(path)
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    if form == "pickle":  # the payload works where nobody guards against it
        pickle.loads(data)
        assert mark.exists()


@pytest.mark.slow
def test_a_malicious_pickle_never_runs_from_the_command_line(
    cli: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "evil.pt").write_bytes(torch_zip(pickle.dumps(Payload(tmp_path / "pwned"))))
    from cnncli.resources import sample_image

    run = cli("predict", sample_image("digit-7-pen.jpg"), "--weights", "evil.pt")
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "without running code" in run.stderr
    assert not (tmp_path / "pwned").exists()


def test_nothing_in_the_package_unpickles() -> None:
    """No pickle, marshal, shelve, eval or exec; NumPy and torch are told not to."""
    import ast

    from tests.conftest import ROOT

    for path in sorted((ROOT / "cnncli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not named & {"pickle", "marshal", "shelve", "dill", "joblib"}, path
            if not isinstance(node, ast.Call):
                continue
            call = ast.unparse(node.func)
            assert call not in {"eval", "exec", "compile", "__import__"}, path
            words = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if call in {"np.load", "numpy.load"} or call.endswith("format.read_array"):
                assert words.get("allow_pickle") == "False", path
            if call == "torch.load":
                assert words.get("weights_only") == "True", path


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_state_dicts_that_claim_too_much_are_refused(tmp_path: Path) -> None:
    import torch

    from cnncli.nn.networks import build_network
    from cnncli.nn.state_dict import read_state_dict

    good = build_network(read_checkpoint(shipped_weights()).model).state_dict()
    wide = torch.zeros(1).expand(128, 32 * 400 * 400)  # 2.6 GB made of one stored number
    spoilt: dict[str, Any] = {
        "wide": {**good, "fc1.weight": wide},
        "not a number": {**good, "conv1.bias": torch.full((16,), float("nan"))},
        "absurd": {**good, "conv1.bias": torch.full((16,), 1e30)},
        "complex": {**good, "conv1.bias": torch.zeros(16, dtype=torch.complex64)},
        "integers": {**good, "conv1.bias": torch.zeros(16, dtype=torch.int64)},
        "sparse": {**good, "conv1.weight": torch.zeros(16, 1, 3, 3).to_sparse()},
        "no tensors": {"conv1.weight": [1, 2]},
        "a list": [torch.zeros(3)],
        "one tensor": torch.zeros(3),
        "nothing": {},
    }
    for name, state in spoilt.items():
        path = tmp_path / "a.pt"
        torch.save(state, path)
        with pytest.raises(CheckpointError) as caught:
            read_state_dict(path)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value)
    torch.save(good, path)
    assert read_state_dict(path).model.num_classes == 10


def test_a_zip_bomb_for_weights_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.nn import state_dict

    monkeypatch.setattr(state_dict, "MAX_TENSOR_BYTES", 10 << 20)
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        for n in range(3):
            archive.writestr(f"archive/data/{n}", bytes(4 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match=r"unpacks to 12\d+ bytes, more than"):
        state_dict.read_state_dict(path)


@pytest.mark.parametrize("engine", ["numpy", pytest.param("torch", marks=pytest.mark.slow)])
def test_prediction_fetches_nothing(engine: str, tmp_path: Path) -> None:
    """Every socket is refused, and nobody notices."""
    from cnncli.resources import sample_image

    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a connection was tried')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from cnncli.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    digit = str(sample_image("digit-7-pen.jpg"))
    run = subprocess.run(
        [sys.executable, "-c", code, "predict", digit, "--engine", engine, "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CNNCLI_DATA": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    assert list(tmp_path.iterdir()) == []


# --- IDX files: the other container that is downloaded


def idx(shape: tuple[int, ...], data: bytes, kind: int = 8) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in shape)
    return bytes([0, 0, kind, len(shape)]) + sizes + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x03",
        idx((2**32 - 1,) * 3, b""),
        idx((2, 2, 2), bytes(7)),
        idx((2, 2, 2), bytes(9)),
        idx((2, 2), bytes(4)),
        idx((4,), bytes(16), kind=0x0D),
        b"\x1f\x8b" + bytes(20),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_bad_idx_files_are_one_line(data: bytes, gzipped: bool, tmp_path: Path) -> None:
    import gzip

    from cnncli.errors import DataError
    from cnncli.nn.idx import read_idx

    path = tmp_path / "a-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(data) if gzipped else data)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gzip_bomb_for_idx_is_not_unpacked(tmp_path: Path) -> None:
    import gzip
    import tracemalloc

    from cnncli.errors import DataError
    from cnncli.nn.idx import read_idx

    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx((10, 28, 28), bytes(200 << 20)), 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="get the file again"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_a_name_with_a_line_end_is_one_cell_of_the_table(cli: CliRunner, tmp_path: Path) -> None:
    import csv

    from tests.reliability.hostile import image_of

    names = ["two\nlines.png", 'commas, and "quotes".png']
    for name in names:
        image_of("L", 28, 28).save(tmp_path / name)
    run = cli("predict", *names, "--csv", "-q")
    rows = list(csv.reader(io.StringIO(run.stdout)))
    assert [row[0] for row in rows[1:]] == names
    assert {len(row) for row in rows} == {len(rows[0])}
