"""``cnncli export``: what the file answers, read by onnxruntime and torch, against ``predict``."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.checkpoint import read_checkpoint
from cnncli.commands import export as command
from cnncli.config import ModelConfig
from cnncli.inference.engine import load_engine
from cnncli.nn import export as exporter
from cnncli.nn.export import cover
from cnncli.preprocess import to_network_input
from cnncli.resources import sample_image, shipped_weights
from tests.cli.conftest import RunHere
from tests.cli.test_summary import random_checkpoint
from tests.conftest import CliRunner

onnx = pytest.importorskip("onnx", reason="no onnx; pip install 'cnncli[export]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime")
pytest.importorskip("onnxscript", reason="no onnxscript")


def run_onnx(path: Path, pictures: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pictures": pictures})[0]


def expected(weights: Path, pictures: np.ndarray) -> np.ndarray:
    checkpoint = read_checkpoint(weights)
    batch = to_network_input(pictures, checkpoint.preprocessing)
    return load_engine(checkpoint, "torch").probabilities(batch)


@pytest.fixture(scope="module")
def digits_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "digits.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        from cnncli.cli import main

        with pytest.raises(SystemExit) as end:
            main(["export", "-o", str(path), "-w", str(shipped_weights())])
        assert not end.value.code
    return path


def test_any_batch_of_digits(digits_onnx: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (7, 28, 28, 1)).astype(np.uint8)
    for part in (pictures, pictures[:1], pictures[:0]):
        found = run_onnx(digits_onnx, part)
        assert found.shape == (len(part), 10)
        assert np.abs(found - expected(shipped_weights(), part)).max(initial=0) < 1e-5


def test_the_file_says_what_it_is(digits_onnx: Path) -> None:
    model = onnx.load(digits_onnx)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["classes"]) == list("0123456789")
    assert json.loads(facts["card"])["data"] == "mnist"
    assert facts["input"] == "uint8 pictures (N, 28, 28, 1), grey, 0 to 255"
    assert "finding the digit" in facts["outside"]
    assert str(Path(__file__).parents[2]).encode() not in digits_onnx.read_bytes()
    size = model.graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in size] == ["N", 28, 28, 1]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("deep", "mobilenet_v3_small")]


@pytest.mark.parametrize(
    ("form", "config"),
    [
        ("onnx", ModelConfig("deep", 3, 16, 16, 4, mirrored=True)),
        ("pt2", ModelConfig("deep", 3, 16, 16, 4, mirrored=True)),
        ("onnx", ModelConfig("simple", 3, 16, 16, 4, mirrored=True, moved=True)),
    ],
)
def test_answers_for_several_views_are_part_of_the_file(
    form: str, config: ModelConfig, cli: CliRunner, tmp_path: Path
) -> None:
    weights = random_checkpoint(tmp_path / "w.safetensors", config)
    done = cli("export", "-w", weights, "-o", f"m.{form}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["largest_gap"] <= 1e-5
    if form == "onnx":
        pictures = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
        for some in (pictures, pictures[:1], pictures[:, :, ::-1]):
            assert (
                np.abs(run_onnx(tmp_path / "m.onnx", some) - expected(weights, some)).max() < 1e-5
            )


@pytest.mark.parametrize("name", ["simple", *SLOW])
def test_photographs_of_any_size_are_scaled_inside(
    name: str, cli: CliRunner, tmp_path: Path
) -> None:
    """Against Pillow's own scaling, each axis by itself."""
    weights = random_checkpoint(tmp_path / "w.safetensors", ModelConfig(name, 3, 40, 40, 4))
    done = cli("export", "-w", weights, "-o", "m.onnx", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["largest_gap"] <= 1e-4
    assert "any height, any width" in record["input"]
    random = np.random.default_rng(1)
    for height, width in ((40, 40), (61, 90), (131, 57), (17, 23)):
        picture = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
        step = min(height / 40, width / 40)
        top, left = (height - 40 * step) / 2, (width - 40 * step) / 2
        wide = Image.fromarray(picture).resize(
            (40, height), Image.Resampling.BILINEAR, (left, 0, width - left, height)
        )
        seen = wide.resize((40, 40), Image.Resampling.BILINEAR, (0, top, 40, height - top))
        ours = expected(weights, np.asarray(seen)[None])
        assert np.abs(run_onnx(tmp_path / "m.onnx", picture[None]) - ours).max() < 1e-5


def test_scaling_worked_by_hand() -> None:
    """A row of four pixels to two: triangles of weights 3, 3, 1 (of 7) at an edge."""
    row = torch.tensor([0, 70, 140, 210], dtype=torch.uint8).reshape(1, 1, 4, 1)
    twice = row.repeat(1, 2, 1, 1)
    # The row's left half: (0*3 + 70*3 + 140*1) / 7 = 50; its right half mirrors it: 160.
    assert cover(twice, 1, 2).flatten().tolist() == [50, 160]


def test_pt2_answers_too(cli: CliRunner, tmp_path: Path) -> None:
    done = cli("export", "-w", shipped_weights(), "-o", "digits.pt2")
    assert done.returncode == 0, done.stderr
    assert "agrees with cnncli to" in done.stdout
    assert "finding the digit" in done.stdout
    facts = {"classes": ""}
    program = torch.export.load(tmp_path / "digits.pt2", extra_files=facts)
    assert json.loads(facts["classes"]) == list("0123456789")
    pictures = np.random.default_rng(3).integers(0, 256, (5, 28, 28, 1)).astype(np.uint8)
    found = program.module()(torch.from_numpy(pictures)).numpy()
    assert np.abs(found - expected(shipped_weights(), pictures)).max() < 1e-5


def test_a_broken_exporter_writes_nothing(
    run_here: RunHere,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One weight is changed after the export; an older file of that name stays as it was."""
    right = exporter.to_onnx

    def wrong(*arguments: object) -> bytes:
        model = onnx.load_model_from_string(right(*arguments))
        weight = next(each for each in model.graph.initializer if "fc2.bias" in each.name)
        values = onnx.numpy_helper.to_array(weight).copy()
        values[3] += 0.05
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return model.SerializeToString()

    monkeypatch.setattr(exporter, "to_onnx", wrong)
    (tmp_path / "m.onnx").write_bytes(b"older")
    assert run_here("export", "-o", "m.onnx", "-w", str(shipped_weights())) == 1
    assert (
        "m.onnx is not written: on 32 pictures its probabilities differ" in capsys.readouterr().err
    )
    assert (tmp_path / "m.onnx").read_bytes() == b"older"


def test_pictures_of_the_data_set_are_checked_where_it_is_at_hand(mnist_folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNCLI_DATA", str(mnist_folder.parent))
        pictures, source = command.check_pictures(read_checkpoint(shipped_weights()))
    assert (len(pictures), source) == (32, "mnist")
    assert pictures[0].shape == (28, 28, 1)


def test_a_folder_gives_its_own_pictures(tmp_path: Path) -> None:
    for k in range(40):
        picture = Image.open(sample_image("scene.png")).convert("RGB").resize((50 + k, 60))
        (tmp_path / "data" / str(k % 2)).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "data" / str(k % 2) / f"{k}.png")
    path = random_checkpoint(tmp_path / "w.safetensors", ModelConfig("simple", 3, 16, 16, 2))
    checkpoint = replace(read_checkpoint(path), card={"data": str(tmp_path / "data")})
    pictures, source = command.check_pictures(checkpoint)
    assert (len(pictures), source) == (32, str(tmp_path / "data"))
    assert len({each.shape for each in pictures}) > 1


def test_wrong_use_is_one_line(cli: CliRunner) -> None:
    done = cli("export", "-o", "model.tflite")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "model.tflite" in done.stderr


def test_predict_reads_the_file_back(digits_onnx: Path, cli: CliRunner) -> None:
    digits = [sample_image("digit-7-pen.jpg"), sample_image("digit-0-marker.jpg")]
    told = cli("predict", *digits, "-w", digits_onnx, "--json")
    assert told.returncode == 0, told.stderr
    assert "engine: onnx" in told.stderr
    plain = cli("predict", *digits, "-w", shipped_weights(), "--json")
    for one, two in zip(told.stdout.splitlines(), plain.stdout.splitlines(), strict=True):
        ours, theirs = json.loads(one), json.loads(two)
        assert ours["label"] == theirs["label"]
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-5)
        assert ours["doubt"] is None


def test_files_that_are_no_such_network_are_one_line(
    digits_onnx: Path, cli: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    model = onnx.load(digits_onnx)
    classes = next(entry for entry in model.metadata_props if entry.key == "classes")
    classes.value = '["a", "b"]'
    onnx.save(model, tmp_path / "renamed.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    digit = sample_image("digit-7-pen.jpg")
    for name, reason in (
        ("text", "it is no ONNX model"),
        ("other", "none that cnncli export wrote"),
        ("renamed", "none that cnncli export wrote"),
        ("absent", "No such file"),
    ):
        done = cli("predict", digit, "-w", f"{name}.onnx")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"{name}.onnx" in done.stderr
        assert reason in done.stderr
    wrong = cli("predict", digit, "-w", digits_onnx, "--engine", "numpy")
    assert wrong.returncode == 2
    assert "leave out --engine" in wrong.stderr
