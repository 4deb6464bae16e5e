"""Records that a checkpoint carries: plain JSON out, the same record back, wrong values refused."""

import json
from pathlib import Path

import pytest

from cnncli.config import ModelConfig, Preprocessing, data_folder


@pytest.mark.parametrize(
    "record",
    [
        ModelConfig(),
        ModelConfig(in_channels=3, height=32, width=48, num_classes=7, mirrored=True),
        ModelConfig(moved=True),
        Preprocessing(),
        Preprocessing("resize", 32, 32, 3, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)),
    ],
)
def test_a_record_survives_json(record: ModelConfig | Preprocessing) -> None:
    assert type(record).from_dict(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize(
    ("record", "changes", "message"),
    [
        (ModelConfig(), {"num_classes": 0}, "num_classes is 0"),
        (ModelConfig(), {"height": 28.0}, "height is 28.0"),
        (ModelConfig(), {"width": True}, "width is True"),
        (ModelConfig(), {"mirrored": 1}, "mirrored is 1"),
        (ModelConfig(), {"moved": None}, "moved is None"),
        (ModelConfig(), {"name": "no network"}, "model 'no network' is no name of a network"),
        (ModelConfig(), {"depth": 3}, r"unknown fields \['depth'\]"),
        (Preprocessing(), {"kind": "magic"}, "preprocessing 'magic' is unknown"),
        (Preprocessing(), {"mean": [0.1, 0.2]}, "mean and std need 1 numbers each"),
        (Preprocessing(), {"std": [0.0]}, "std is"),
    ],
)
def test_a_wrong_value_is_named(
    record: ModelConfig | Preprocessing, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        type(record).from_dict(record.to_dict() | changes)


def test_a_missing_field_is_named() -> None:
    values = ModelConfig().to_dict()
    del values["height"]
    with pytest.raises(ValueError, match=r"lacks the fields \['height'\]"):
        ModelConfig.from_dict(values)


def test_files_from_before_networks_had_views_are_read() -> None:
    values = ModelConfig("deep").to_dict()
    del values["mirrored"], values["moved"]
    assert ModelConfig.from_dict(values) == ModelConfig("deep", mirrored=False, moved=False)


def test_the_data_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNNCLI_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("CNNCLI_DATA")
    assert data_folder().name == "cnncli"
