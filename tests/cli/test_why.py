"""``cnncli why``: what is covered, what it costs, and HiResCAM by hand and against Grad-CAM."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnncli.checkpoint import read_checkpoint
from cnncli.config import ModelConfig
from cnncli.errors import DeviceError, UsageError
from cnncli.images import read_picture
from cnncli.inference.engine import load_engine
from cnncli.interpret.hires_cam import hires_cam
from cnncli.interpret.occlusion import occlusion, patches, strongest_window
from cnncli.nn.networks import build_network
from cnncli.nn.networks.views import over_views
from cnncli.nn.state_dict import load_network
from cnncli.preprocess import prepare, to_network_input
from cnncli.resources import sample_image, shipped_weights
from tests.cli.test_summary import SIZES, random_checkpoint
from tests.conftest import CliRunner
from tests.networks import TORCHVISIONS

DIGIT = sample_image("digit-7-pen.jpg")
BLACK = np.zeros(1, np.float32)


def one_pixel(row: int, column: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a network whose second class knows one pixel only."""

    def ask(batch: np.ndarray) -> np.ndarray:
        share = 1 / (1 + np.exp(-batch[:, 0, row, column]))
        return np.stack([1 - share, share], axis=1)

    return ask


def test_only_patches_over_the_deciding_pixel_cost_anything() -> None:
    image = np.ones((1, 9, 8), np.float32)
    found = occlusion(one_pixel(4, 3), image, 1, 3, BLACK)
    fall = 1 / (1 + np.exp(-1)) - 0.5
    assert found.confidence_drop[4, 3] == pytest.approx(fall)  # every patch over it costs this much
    # The pixel two to the right lies in 9 patches; the 3 of one column of places cover both.
    assert found.confidence_drop[4, 5] == pytest.approx(fall / 3)
    reach = np.zeros((9, 8), bool)
    reach[2:7, 1:6] = True
    assert ((found.confidence_drop > 0) == reach).all()
    assert (found.strongest.left, found.strongest.top) == (1, 2)
    assert (found.strongest.width, found.strongest.height) == (3, 3)


def test_a_class_that_gains_is_cool_and_opposed() -> None:
    image = np.ones((1, 9, 9), np.float32)
    found = occlusion(one_pixel(8, 8), image, 0, 2, BLACK)
    assert found.confidence_drop.min() < 0 == found.confidence_drop.max()
    assert (found.opposing.left, found.opposing.top) == (7, 7)


@pytest.mark.parametrize(("height", "width", "patch"), [(28, 28, 7), (300, 200, 50), (5, 90, 4)])
def test_patches_reach_every_pixel_in_bounded_steps(height: int, width: int, patch: int) -> None:
    seen = np.zeros((height, width), int)
    regions = list(patches(height, width, patch))
    for region in regions:
        seen[region.top : region.top + patch, region.left : region.left + patch] += 1
    assert len(regions) <= 1024
    assert seen.min() >= 1
    assert seen.sum() == len(regions) * patch * patch  # none reaches over an edge


@given(st.data())
def test_the_strongest_window_has_the_largest_sum(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(2, 8)), data.draw(st.integers(2, 8))
    patch = data.draw(st.integers(1, min(height, width) - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    heat = rng.integers(0, 9, (height, width)).astype(np.float32)
    found = strongest_window(heat, patch)
    sums = np.lib.stride_tricks.sliding_window_view(heat, (patch, patch)).sum(axis=(2, 3))
    assert sums[found.top, found.left] == sums.max()


@pytest.mark.parametrize("patch", [0, 9, 10])
def test_patches_must_fit(patch: int) -> None:
    with pytest.raises(UsageError, match=f"--patch {patch} does not fit a picture of 9x20"):
        list(patches(20, 9, patch))


def two_maps() -> nn.Sequential:
    """Return a network that weighs its input and its negative, place by place."""
    convolution, dense = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(8, 2, bias=False)
    convolution.weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    dense.weight.data = torch.arange(16, dtype=torch.float32).view(2, 8)
    return nn.Sequential(convolution, nn.Flatten(), dense).eval()


def test_hires_cam_is_the_sum_by_hand() -> None:
    network = two_maps()
    image = np.array([[[1.0, -2.0], [3.0, -4.0]]], np.float32)
    # The maps are the picture and its negative, of the empty picture 1 and -1; the differences
    # (0, -3, 2, -5) and (0, 3, -2, 5). Score 1 weighs them with 8-11 and 12-15:
    # (0, -27 + 39, 20 - 28, -55 + 75).
    found = hires_cam(network, image, 1, np.ones(1, np.float32))
    np.testing.assert_array_equal(found, [[0, 12], [-8, 20]])
    with torch.no_grad():
        scores = network(torch.from_numpy(np.stack([image, np.ones_like(image)])))[:, 1]
    assert found.sum() == 24 == float(scores[0] - scores[1])  # nothing is lost
    assert not network[0]._forward_hooks


def test_the_dense_part_alone_has_no_maps() -> None:
    dense = nn.Sequential(nn.Flatten(), two_maps()[2])
    with pytest.raises(DeviceError, match="no maps"):
        hires_cam(dense, np.zeros((1, 2, 4), np.float32), 1, BLACK)


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_maps_of_one_value_tell_no_places(name: str) -> None:
    black = np.zeros(3, np.float32)
    draw = np.random.default_rng(0)
    network = build_network(ModelConfig(name, 3, 64, 64, 4)).eval()
    image = draw.normal(size=(3, 64, 64)).astype(np.float32)
    assert hires_cam(network, image, 1, black).shape == (64, 64)
    with pytest.raises(
        DeviceError, match="for pictures of 32x30, and tell no places; use --method"
    ):
        hires_cam(network, image[:, :30, :32], 1, black)


def test_where_nothing_is_nothing_decides() -> None:
    checkpoint = read_checkpoint(shipped_weights())
    network = load_network(checkpoint)
    black = to_network_input(np.zeros((1, 28, 28, 1), np.uint8), checkpoint.preprocessing)[0]
    image = black.copy()
    image[0, 12:15, 12:15] = 2
    heat = hires_cam(network, image, 3, black[:, 0, 0])
    changed = np.argwhere(heat)
    # 1 pixel to a map by conv1, 1 more by the pooling, 2 by conv2 on half size, 2 by the scaling.
    assert changed.size
    assert changed.min() >= 12 - 6
    assert changed.max() <= 14 + 6


class Averaging(nn.Module):
    """A network that averages each of its maps before the last layer, as ResNets do."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.maps(images).mean((2, 3)))
        return scores


def test_with_averaged_maps_it_is_grad_cam() -> None:
    torch.manual_seed(0)
    network = Averaging().eval()
    image = np.random.default_rng(0).standard_normal((1, 16, 16)).astype(np.float32)
    fill = np.full(1, 0.5, np.float32)
    with torch.no_grad():
        network.head.weight[2] = torch.linspace(-1, 1, 8)
        batch = torch.from_numpy(np.stack([image, np.full_like(image, 0.5)]))
        kept: list[torch.Tensor] = []
        handle = network.maps.register_forward_hook(lambda _m, _i, out: kept.append(out))
        scores = network(batch)[:, 2]
        handle.remove()
        # Each map's mean gradient is its weight in the head over the 16 places of a map.
        weights = network.head.weight[2, :, None, None] / 16
        difference = (weights * (kept[0][0] - kept[0][1])).sum(0)
        expected = nn.functional.interpolate(
            difference[None, None], size=(16, 16), mode="bilinear", align_corners=False
        )[0, 0]
    found = hires_cam(network, image, 2, fill)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    # Scaling from 4x4 to 16x16 repeats each place 16 times.
    assert found.sum() / 16 == pytest.approx(float(scores[0] - scores[1]), abs=1e-5)


class OverViews(Averaging):
    """The same, answering with the mean over a picture and its mirror image."""

    config = ModelConfig(mirrored=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(over_views(self.features, images, self.config))
        return scores

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.maps(images).mean((2, 3))


def test_of_views_the_mean_is_explained() -> None:
    torch.manual_seed(0)
    single, several = Averaging().eval(), OverViews().eval()
    several.load_state_dict(single.state_dict())
    image = np.random.default_rng(0).standard_normal((1, 16, 16)).astype(np.float32)
    fill = np.full(1, 0.5, np.float32)
    as_it_is = hires_cam(single, image, 2, fill)
    flipped = hires_cam(single, image[..., ::-1].copy(), 2, fill)[:, ::-1]
    np.testing.assert_allclose(
        hires_cam(several, image, 2, fill, mirrored=True), (as_it_is + flipped) / 2, atol=1e-6
    )
    assert np.abs(as_it_is - flipped).max() > 1e-3


def plain_grad_cam(network: nn.Module, image: np.ndarray, index: int) -> np.ndarray:
    """Return equations 1 and 2 of Selvaraju et al., 2017, on the rectified maps of conv2."""
    maps = network.relu(network.conv2(network.relu(network.pool(network.conv1(image[None])))))
    maps = maps.detach().requires_grad_()
    score = network.fc2(network.relu(network.fc1(network.pool(maps).flatten(1))))[0, index]
    (gradient,) = torch.autograd.grad(score, maps)
    heat = torch.relu((gradient.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True))
    return nn.functional.interpolate(heat, (28, 28), mode="bilinear")[0, 0].detach().numpy()


def test_covering_what_it_names_costs_far_more_than_elsewhere() -> None:
    """Compare falls of ``log(p / (1 - p))``: confidence itself is all but 1 until it tips over.

    Measured on the 13 sample digits, mean fall: occlusion, the largest that there is, 10.4;
    HiResCAM 3.9; a region anywhere 1.5; Grad-CAM 1.0. (Before the network trained on drawn digits
    and on signs that are none, HiResCAM's was 6.3.)
    """
    checkpoint = read_checkpoint(shipped_weights())
    network, engine = load_network(checkpoint), load_engine(checkpoint, "torch")
    black = to_network_input(np.zeros((1, 1, 1, 1), np.uint8), checkpoint.preprocessing)[0, :, 0, 0]
    regions = list(patches(28, 28, 7))
    falls = []
    for path in sorted(DIGIT.parent.glob("digit-*")):
        pixels = prepare(read_picture(path), checkpoint.preprocessing).pixels
        image = to_network_input(pixels[None], checkpoint.preprocessing)[0]
        before = engine.probabilities(image[None])[0].astype(np.float64)
        index = int(before.argmax())
        after = engine.probabilities(np.stack([each.cover(image, black) for each in regions]))
        rest = [np.delete(p, index, -1).sum(-1) for p in (before, after.astype(np.float64))]
        odds = [np.log(p / q) for p, q in zip((before[index], after[:, index]), rest, strict=True)]
        fall = odds[0] - odds[1]
        named = [
            hires_cam(network, image, index, black).clip(min=0),
            plain_grad_cam(network, torch.from_numpy(image), index),
        ]
        by_map = [fall[regions.index(strongest_window(heat, 7))] for heat in named]
        falls.append([fall.max(), by_map[0], fall.mean(), by_map[1]])
    largest, hires, anywhere, averaged = np.mean(falls, axis=0)
    assert len(falls) == 13
    assert hires > 0.3 * largest
    assert hires > 2 * anywhere
    assert hires > 2 * averaged


@pytest.mark.parametrize("method", ["occlusion", "grad-cam"])
def test_the_told_fall_is_what_covering_does(cli: CliRunner, method: str) -> None:
    run = cli("why", DIGIT, "--method", method, "-o", "why.png", "--json")
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    checkpoint = read_checkpoint(shipped_weights())
    engine = load_engine(checkpoint, "numpy")
    pixels = prepare(read_picture(DIGIT), checkpoint.preprocessing).pixels.copy()
    before = engine.probabilities(to_network_input(pixels[None], checkpoint.preprocessing))[0]
    box = record["region"]
    pixels[box["top"] : box["top"] + box["height"], box["left"] : box["left"] + box["width"]] = (
        0  # black paper
    )
    after = engine.probabilities(to_network_input(pixels[None], checkpoint.preprocessing))[0]
    assert record["label"] == "7"
    assert record["confidence"] == pytest.approx(before[7], abs=1e-6)
    assert record["covered_confidence"] == pytest.approx(after[7], abs=1e-6)
    assert record["fall"] == pytest.approx(before[7] - after[7], abs=1e-6)
    assert record["covered_label_confidence"] == pytest.approx(after.max(), abs=1e-6)
    if method == "occlusion":  # it looked for the largest
        assert record["fall"] > 0.01


def test_it_says_in_words_what_covering_costs(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("why", DIGIT, "-o", "why.png", "--show")
    assert "why.png: 7 with " in run.stdout
    assert "Covering the strongest 7x7 region (columns " in run.stdout
    assert "points less; the answer " in run.stdout
    assert "what decided" in run.stdout  # the title of the heat map in the terminal
    assert read_picture(tmp_path / "why.png").pixels.shape[1] > 1000


def test_another_class_is_asked_what_speaks_against_it(cli: CliRunner) -> None:
    run = cli("why", DIGIT, "--label", "1", "-o", "why.png", "-q", "--patch", "9")
    assert run.returncode == 0, run.stderr
    assert "1 with " in run.stdout
    assert "(the answer is 7 with " in run.stdout
    assert "the 9x9 region" in run.stdout


def test_photographs_of_any_size_and_class(cli: CliRunner, tmp_path: Path) -> None:
    weights = random_checkpoint(tmp_path / "w.safetensors", SIZES[1])
    run = cli("why", sample_image("scene.png"), "-w", weights, "--label", "class 3", "-o", "x.png")
    assert run.returncode == 0, run.stderr
    assert "class 3 with " in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "ten"], "--label 'ten' is no class of this network; it knows 0, 1, 2, 3"),
        (
            ["--method", "shap"],
            "Invalid value for '--method': 'shap' is not one of 'occlusion', 'grad-cam'",
        ),
        (["--patch", "28"], "--patch 28 does not fit a picture of 28x28; use 1 to 27"),
    ],
)
def test_wrong_values_are_named(cli: CliRunner, arguments: list[str], message: str) -> None:
    run = cli("why", DIGIT, "-q", *arguments)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {message}")
    assert run.stdout == ""
