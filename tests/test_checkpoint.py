"""Checkpoints: what is written comes back, and a wrong file is refused in one line."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cnncli.checkpoint import (
    Checkpoint,
    infer_model,
    is_torch_file,
    plain_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import CheckpointError, CnncliError
from cnncli.layers import tensor_shapes as layer_shapes
from cnncli.nn.state_dict import layers_of, load_network
from tests.networks import describe, tensor_shapes


def make(model: ModelConfig | None = None, **card: Any) -> Checkpoint:
    model = model or ModelConfig()
    draw, layers = np.random.default_rng(0), describe(model)
    tensors = {
        name: draw.standard_normal(shape).astype(np.float32)
        for name, shape in layer_shapes(layers).items()
    }
    half = (0.5,) * model.in_channels
    seen = Preprocessing("resize", model.height, model.width, model.in_channels, half, half)
    names = tuple(f"class {i}" for i in range(model.num_classes))
    return Checkpoint(model, names, seen, tensors, card, layers)


@pytest.mark.parametrize(
    "model",
    [ModelConfig(), ModelConfig(in_channels=3, height=32, width=20, num_classes=3)],
    ids=["mnist", "colour"],
)
def test_round_trip(model: ModelConfig, tmp_path: Path) -> None:
    made = make(model, data="drawn", test={"accuracy": 0.5})
    write_checkpoint(tmp_path / "w.safetensors", made)
    read = read_checkpoint(tmp_path / "w.safetensors")
    for part in ("model", "classes", "preprocessing", "card", "layers"):
        assert getattr(read, part) == getattr(made, part)
    assert read.tensors.keys() == made.tensors.keys()
    for name, array in made.tensors.items():
        assert read.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(read.tensors[name], array)


def test_any_safetensors_reader_sees_the_same_tensors(tmp_path: Path) -> None:
    made = make()
    write_checkpoint(tmp_path / "w.safetensors", made)
    for name, array in load_file(tmp_path / "w.safetensors").items():
        np.testing.assert_array_equal(array, made.tensors[name])


def test_writing_the_same_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_checkpoint(tmp_path / name, make())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_bare_state_dict_gets_the_lessons_classes_and_preprocessing(tmp_path: Path) -> None:
    save_file(make().tensors, tmp_path / "bare.safetensors")
    read = read_checkpoint(tmp_path / "bare.safetensors")
    assert read.classes == tuple("0123456789")
    assert read.preprocessing == Preprocessing()


def test_shapes_tell_the_size() -> None:
    model = ModelConfig("simple", 3, 32, 32, 7)
    assert infer_model(tensor_shapes(model)) == model


def test_a_colour_state_dict_is_no_digit_reader() -> None:
    model = ModelConfig("simple", 3, 32, 32, 2)
    assert plain_checkpoint(model, make(model).tensors).preprocessing.kind == "resize"


def test_parameters_and_work_of_the_lessons_network() -> None:
    layers = describe(ModelConfig())
    assert [layer.parameters for layer in layers] == [160, 0, 4640, 0, 200832, 1290]
    assert sum(layer.parameters for layer in layers) == 206_922
    # conv1: 9 * 16 * 784, conv2: 9 * 16 * 32 * 196, fc1: 1568 * 128, fc2: 128 * 10
    assert [layer.multiply_adds for layer in layers] == [112896, 0, 903168, 0, 200704, 1280]
    assert [layer.receptive_field for layer in layers] == [3, 4, 8, 10, 0, 0]


def test_an_input_below_four_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="3x28 pixels are too few"):
        describe(ModelConfig(height=3))


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the header of a safetensors file."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    change(header)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + raw[8 + length :])


def edit_record(header: dict[str, Any], **values: Any) -> None:
    record = json.loads(header["__metadata__"]["cnncli"])
    record.update(values)
    header["__metadata__"]["cnncli"] = json.dumps(record)


def edit_model(header: dict[str, Any], **values: Any) -> None:
    record = json.loads(header["__metadata__"]["cnncli"])
    record["model"].update(values)
    header["__metadata__"]["cnncli"] = json.dumps(record)


DAMAGED = "is not a safetensors file, or is damaged"
BREAKAGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "newer format": (lambda h: edit_record(h, format=2), "pip install --upgrade cnncli"),
    "no name": (lambda h: edit_model(h, name="os.system"), "'os.system' is no name of a network"),
    "other size": (lambda h: edit_model(h, height=32), "fc1.weight has the shape"),
    "absurd size": (lambda h: edit_model(h, height=10**12), "fc1.weight has the shape"),
    "text size": (lambda h: edit_model(h, height="28"), "height is '28'"),
    "missing field": (lambda h: edit_record(h, model={"name": "simple"}), "lacks the fields"),
    "too few classes": (lambda h: edit_record(h, classes=["a"]), "10 outputs have 1 names"),
    "class no text": (lambda h: edit_record(h, classes=[1] * 10), "1 is not text"),
    "tensor gone": (lambda h: h.pop("fc2.bias"), DAMAGED),
    "tensor renamed": (lambda h: h.update(evil=h.pop("fc2.bias")), "unknown tensors evil"),
    "tensor twice": (lambda h: h.update(evil=h["fc2.bias"]), DAMAGED),
    "other dtype": (lambda h: h["fc2.bias"].update(dtype="I32"), "fc2.bias holds 'I32'"),
    "negative shape": (lambda h: h["fc2.bias"].update(shape=[-10]), DAMAGED),
    "beyond the end": (
        lambda h: h["fc2.bias"].update(data_offsets=[10**9, 10**9 + 40]),
        DAMAGED,
    ),
    "wrong length": (lambda h: h["fc2.bias"].update(data_offsets=[0, 4]), DAMAGED),
    "metadata a list": (lambda h: h.update(__metadata__=[]), DAMAGED),
    "record no JSON": (lambda h: h["__metadata__"].update(cnncli="{"), "not a usable weights"),
}


@pytest.mark.parametrize("kind", BREAKAGES)
def test_a_wrong_header_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    change, message = BREAKAGES[kind]
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, make())
    edit(path, change)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text
    assert "; " in text


@pytest.mark.parametrize("name", ["deep", "resnet18", "mobilenet_v3_small"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"height": 10**12}, "it takes 1000000000000x32 pixels, more than 4096"),
        ({"height": 3}, "the preprocessing makes other sizes"),
        ({"in_channels": 1}, "the preprocessing makes other sizes"),
        ({"num_classes": 10**9}, "1000000000 outputs have 4 names"),
        ({"name": "simple"}, "unknown tensors"),
    ],
    ids=str,
)
def test_sizes_that_a_network_of_averages_does_not_tell_are_bounded(
    name: str, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, make(ModelConfig(name, 3, 32, 32, 4)))
    edit(path, lambda header: edit_model(header, **values))
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def table(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[dict[str, Any]], None]:
    def changed(header: dict[str, Any]) -> None:
        record = json.loads(header["__metadata__"]["cnncli"])
        change(record["layers"])
        header["__metadata__"]["cnncli"] = json.dumps(record)

    return changed


TABLES: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "a row gone": (lambda rows: rows.pop(0), "unknown tensors whiten.bias"),
    "a row more": (lambda rows: rows[0]["tensors"].update(evil=[1]), "no tensors evil"),
    "another shape": (lambda rows: rows[0]["tensors"].update({"whiten.bias": [9]}), "(9,)"),
    "no number": (lambda rows: rows[0].update(multiply_adds="many"), "no whole number"),
    "below 0": (lambda rows: rows[0].update(output=[-1, 2, 2]), "no whole number"),
    "a novel": (lambda rows: rows[0].update(operation="x" * 10_000), "no short text"),
    "no text": (lambda rows: rows[0].update(name=["stem"]), "no short text"),
    "more fields": (lambda rows: rows[0].update(code="print()"), "code"),
    "no row": (lambda rows: rows.append("x"), "not a usable weights file"),
    "no shape": (lambda rows: rows[0]["tensors"].update({"whiten.bias": 3}), "not a usable"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_wrong_table_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    change, message = TABLES[kind]
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, make(ModelConfig("deep", 3, 32, 32, 4)))
    edit(path, table(change))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("deep", {"in_channels": 10**5}, "not those of deep: other shapes of groups.0.conv"),
        ("deep", {"height": 3}, "3x32 pixels are too few for deep"),
        ("deep", {"name": "huge"}, "model 'huge' is unknown"),
        ("resnet18", {"name": "resnet34"}, "not those of resnet34: other shapes of layer1.2"),
    ],
    ids=str,
)
def test_a_file_that_lies_in_every_place_is_found_out_before_its_network_takes_memory(
    name: str, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, make(ModelConfig(name, 3, 32, 32, 4)))

    def lie(header: dict[str, Any]) -> None:
        edit_model(header, **values)
        record = json.loads(header["__metadata__"]["cnncli"])
        record["preprocessing"]["height"] = record["model"]["height"]
        for key in ("mean", "std"):
            record["preprocessing"][key] = [0.5] * record["model"]["in_channels"]
        record["preprocessing"]["channels"] = record["model"]["in_channels"]
        header["__metadata__"]["cnncli"] = json.dumps(record)

    edit(path, lie)
    with pytest.raises(CnncliError) as caught:
        load_network(read_checkpoint(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_an_earlier_version_has_no_table_and_gets_one(tmp_path: Path) -> None:
    made = make(ModelConfig("deep", 3, 32, 32, 4))
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, made)

    def forget(header: dict[str, Any]) -> None:
        record = json.loads(header["__metadata__"]["cnncli"])
        del record["layers"]
        header["__metadata__"]["cnncli"] = json.dumps(record)

    edit(path, forget)
    read = read_checkpoint(path)
    assert read.layers == ()
    assert layers_of(read) == made.layers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a safetensors file"),
        (b"just some text, longer than eight bytes", "is not a safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "is not a safetensors file"),
        (struct.pack("<Q", 100) + b"{}", "is not a safetensors file"),
        (struct.pack("<Q", 2) + b"{}", "holds no weights of a SimpleCNN"),
        (struct.pack("<Q", 20000) + b'{"a":' * 4000, "is not a safetensors file"),
        (struct.pack("<Q", 2) + b"[]", "is not a safetensors file"),
    ],
    ids=["empty", "text", "huge header", "cut", "no tensors", "nested", "list"],
)
def test_what_is_no_checkpoint_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_checkpoint(path, make())
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=DAMAGED):
        read_checkpoint(path)


def test_infinite_weights_are_refused(tmp_path: Path) -> None:
    made = make()
    made.tensors["fc2.bias"][3] = np.inf
    write_checkpoint(tmp_path / "w", made)
    with pytest.raises(CheckpointError, match="infinite or not a number"):
        read_checkpoint(tmp_path / "w")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.here do not exist; name another"):
        read_checkpoint(tmp_path / "nothing.here")
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        read_checkpoint(tmp_path)


def test_a_checkpoint_must_fit_together() -> None:
    good = make()
    with pytest.raises(ValueError, match="preprocessing makes other sizes"):
        Checkpoint(good.model, good.classes, Preprocessing("resize", 32, 32), good.tensors)
    with pytest.raises(ValueError, match=r"no tensors conv1\.bias"):
        Checkpoint(good.model, good.classes, good.preprocessing, {})


def test_files_of_torch_are_told_by_their_start(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "b.pt").write_bytes(b"\x80\x02rest")
    write_checkpoint(tmp_path / "c.safetensors", make())
    found = [is_torch_file(tmp_path / n) for n in ("a.pt", "b.pt", "c.safetensors", "none")]
    assert found == [True, True, False, False]
