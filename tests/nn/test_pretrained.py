"""A start from weights that others learned: files made here stand for those of the network."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from cnncli.config import IMAGENET_MEAN, ModelConfig, Preprocessing
from cnncli.errors import DataError, UsageError
from cnncli.nn.networks import build_network, pretrained_state
from cnncli.nn.pretrained import as_trained, start_from
from tests.networks import TORCHVISIONS

LAST = {"resnet18": "fc.", "mobilenet_v3_small": "classifier.3."}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the empty folder that torch downloads to, and cut the network off."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("cnncli.nn.download.reachable", lambda _addresses: False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def learned(name: str) -> dict[str, Tensor]:
    """Return a state dict as torchvision's files hold it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network(ModelConfig(name, 3, 32, 32, 1000))
    network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(4)))
    return network.state_dict()


def fresh(name: str, channels: int) -> tuple[nn.Module, ModelConfig]:
    config = ModelConfig(name, channels, 32, 32, 7)
    return build_network(config), config


def url_of(name: str) -> str:
    from torchvision.models import get_model_weights

    return str(get_model_weights(name).DEFAULT.url)


def file_name(name: str) -> str:
    return url_of(name).rpartition("/")[2]


def test_the_lessons_network_has_none() -> None:
    with pytest.raises(UsageError, match=r"no weights for --model simple; .* leave out --pretr"):
        pretrained_state("simple")


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_all_but_the_last_layer_is_taken_over(name: str, hub: Path) -> None:
    state = learned(name)
    torch.save(state, hub / file_name(name))
    network, config = fresh(name, 3)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    start_from(pretrained_state(name), [network], config)
    for key, tensor in network.state_dict().items():
        if key.startswith(LAST[name]):
            assert torch.equal(tensor, before[key]), key
        elif tensor.is_floating_point():
            assert torch.equal(tensor, state[key]), key


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_a_grey_picture_is_one_of_three_equal_channels(name: str) -> None:
    state = learned(name)
    colour, config = fresh(name, 3)
    start_from(state, [colour], config)
    grey, config = fresh(name, 1)
    start_from(state, [grey], config)
    last = LAST[name].rstrip(".")  # starts by chance
    grey.get_submodule(last).load_state_dict(colour.get_submodule(last).state_dict())
    image = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        one, three = grey.eval()(image), colour.eval()(image.repeat(1, 3, 1, 1))
    torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-5)


def test_colours_are_imagenets_and_grey_is_the_datas_own() -> None:
    half = (0.5,) * 3
    assert (
        as_trained(Preprocessing("resize", 32, 32, 3, half, half), "resnet18").mean == IMAGENET_MEAN
    )
    assert as_trained(Preprocessing(), "resnet18") == Preprocessing()


def test_another_hash_is_no_download(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch's own download, of a file that lies here: its hash is not the name's.
    source = hub.parent / "resnet18-f37072fd.pth"
    source.write_bytes(b"not these")
    monkeypatch.setattr("cnncli.nn.download.reachable", lambda _addresses: True)
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url",
        lambda _url, **given: load_state_dict_from_url(source.as_uri(), **given),
    )
    with pytest.raises(DataError, match=r"invalid hash value.*; put https:.* into .*checkpoi"):
        pretrained_state("resnet18")
    assert list(hub.iterdir()) == []


def test_without_network_the_line_says_where_the_file_belongs(hub: Path) -> None:
    with pytest.raises(DataError) as caught:
        pretrained_state("resnet18")
    assert str(caught.value) == (
        "resnet18-f37072fd.pth, the ImageNet weights of resnet18, is not on this machine and no "
        f"mirror answers; put {url_of('resnet18')} into {hub}, or train without --pretrained"
    )


SPOILT: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("hello"),
    "a list": lambda path: torch.save([1, 2], path),
    "code": lambda path: torch.save(build_network(ModelConfig("resnet18", 3, 32, 32, 2)), path),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_damaged_file_is_one_line(kind: str, hub: Path) -> None:
    SPOILT[kind](hub / "resnet18-f37072fd.pth")
    with pytest.raises(DataError, match=r"is damaged; remove it to download it again") as caught:
        pretrained_state("resnet18")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["another network", "one missing", "a number"])
def test_weights_of_another_network_are_refused(spoil: str) -> None:
    state: dict[str, object] = dict(learned("mobilenet_v3_small"))
    network, config = fresh("mobilenet_v3_small", 1)
    if spoil == "another network":
        network, config = fresh("resnet18", 1)
    elif spoil == "one missing":
        del state["features.3.block.1.0.weight"]
    else:
        state["features.0.0.weight"] = 3
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(DataError, match="are not those of") as caught:
        start_from(state, [network], config)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
