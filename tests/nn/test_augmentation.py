"""Augmentation: each variation against torch, SciPy and pixels worked by hand."""

from dataclasses import replace
from math import cos, pi, sin

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from cnncli.config import AUGMENTATIONS, Augmentation
from cnncli.nn.augmentation import draw_variations, vary_strokes, warp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dot(height: int, width: int, row: int, column: int) -> torch.Tensor:
    image = torch.zeros(1, 1, height, width)
    image[0, 0, row, column] = 200
    return image


@pytest.mark.parametrize("size", [(28, 28), (9, 14)], ids=str)
@pytest.mark.parametrize("reflect", [False, True])
def test_warp_is_torchs_affine_sampling(size: tuple[int, int], reflect: bool) -> None:
    images = torch.rand(5, 3, *size, generator=generator())
    theta = torch.eye(2, 3) + 0.3 * torch.randn(5, 2, 3, generator=generator(1))
    grid = functional.affine_grid(theta, [5, 3, *size], align_corners=False)
    padding = "reflection" if reflect else "zeros"
    expected = functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)
    torch.testing.assert_close(warp(images, theta, reflect=reflect), expected, atol=1e-4, rtol=0)


def test_a_shift_of_one_pixel_moves_a_dot_by_one() -> None:
    theta = torch.tensor([[[1.0, 0.0, 2 / 8], [0.0, 1.0, 0.0]]])  # 2 / width: one pixel
    # Output (r, c) shows input (r, c + 1): the dot goes left.
    torch.testing.assert_close(warp(dot(6, 8, 3, 5), theta), dot(6, 8, 3, 4))


def test_no_bounds_change_nothing() -> None:
    images = torch.rand(4, 1, 28, 28, generator=generator()) * 255
    drawn = draw_variations(4, 28, 28, Augmentation(), generator())
    torch.testing.assert_close(warp(images, drawn.theta), images, atol=1e-3, rtol=0)
    assert drawn.stroke.tolist() == [0] * 4


@pytest.mark.parametrize("size", [(28, 28), (20, 40)], ids=str)
def test_rotation_turns_by_its_angle_and_keeps_lengths(size: tuple[int, int]) -> None:
    height, width = size
    drawn = draw_variations(500, height, width, Augmentation(rotation=30.0), generator())
    # From output to input in pixels: scale the coordinates of both axes back to pixels.
    to_pixels = torch.diag(torch.tensor([width / 2, height / 2]))
    matrices = to_pixels @ drawn.theta[:, :, :2] @ torch.linalg.inv(to_pixels)
    eye = torch.eye(2).expand(500, 2, 2)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), eye, atol=1e-5, rtol=0)
    angles = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]) * 180 / pi
    assert 28 < angles.max() <= 30
    assert -30 <= angles.min() < -28
    angle = float(angles[0]) * pi / 180
    by_hand = torch.tensor([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    torch.testing.assert_close(matrices[0], by_hand, atol=1e-5, rtol=0)


def test_shift_and_scale_keep_their_bounds() -> None:
    bounds = Augmentation(shift=2.0, scale=0.1)
    theta = draw_variations(2000, 28, 28, bounds, generator()).theta
    assert float(theta[:, :, 2].abs().max()) == pytest.approx(2 * 2 / 28, rel=0.01)
    assert float(theta[:, 0, 0].max()) == pytest.approx(1 / 0.9, rel=0.01)
    assert float(theta[:, 0, 0].min()) == pytest.approx(1 / 1.1, rel=0.01)
    assert torch.equal(theta[:, 0, 0], theta[:, 1, 1])


def test_photographs_move_by_whole_pixels_each_as_often() -> None:
    theta = draw_variations(9000, 32, 16, AUGMENTATIONS["photo"], generator()).theta
    for edge, axis, far in ((16, 0, 2), (32, 1, 4)):
        pixels = theta[:, axis, 2] * edge / 2
        counts = torch.bincount((pixels.round() + far).long(), minlength=2 * far + 1)
        assert torch.equal(pixels, pixels.round())
        assert len(counts) == 2 * far + 1
        expected = 9000 / (2 * far + 1)
        assert counts.min() > 0.85 * expected
        assert counts.max() < 1.15 * expected


def test_photographs_get_lighter_or_darker_by_a_fifth_of_white_at_most() -> None:
    light = draw_variations(9000, 32, 32, AUGMENTATIONS["photo"], generator()).light
    assert 50 < light.max() <= 51
    assert -51 <= light.min() < -50
    assert abs(float(light.mean())) < 1
    assert not draw_variations(9, 28, 28, AUGMENTATIONS["digit"], generator()).light.any()


def test_a_whole_shift_blurs_nothing_and_continues_mirrored() -> None:
    image = torch.tensor([[[[10.0, 20.0, 40.0, 80.0]]]]).expand(1, 1, 3, 4)
    theta = torch.eye(2, 3)[None].clone()
    theta[0, 0, 2] = 2 * 2 / 4  # each pixel comes from two to the right
    found = warp(image, theta, reflect=True)[0, 0, 0]
    torch.testing.assert_close(found, torch.tensor([40.0, 80.0, 80.0, 40.0]))


def test_half_of_the_photographs_are_mirrored_and_no_digit_is() -> None:
    flips = draw_variations(4000, 32, 32, Augmentation(flip=True), generator()).theta[:, 0, 0]
    assert set(flips.tolist()) == {-1.0, 1.0}
    assert 0.46 < float((flips < 0).float().mean()) < 0.54
    assert not AUGMENTATIONS["digit"].flip
    digits = draw_variations(4000, 28, 28, AUGMENTATIONS["digit"], generator()).theta
    assert float(digits[:, 0, 0].min()) > 0


def test_a_mirror_image_is_exact() -> None:
    image = torch.arange(32.0).reshape(1, 1, 4, 8)
    flip = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    torch.testing.assert_close(warp(image, flip, reflect=True), image.flip(3))


@pytest.mark.parametrize(
    ("share", "reference"), [(1.0, ndimage.maximum_filter), (-1.0, ndimage.minimum_filter)]
)
def test_full_strokes_are_scipys_dilation_and_erosion(share: float, reference: object) -> None:
    images = (torch.rand(3, 1, 12, 9, generator=generator()) * 255).to(torch.uint8)
    expected = np.stack(
        [reference(image, size=3, mode="nearest") for image in images[:, 0].numpy()]
    )
    found = vary_strokes(images, torch.full((3,), share))
    np.testing.assert_array_equal(found[:, 0].numpy(), expected)


def test_strokes_by_hand() -> None:
    image = torch.tensor([[[[0, 100, 0], [0, 100, 0], [0, 100, 0]]]], dtype=torch.uint8)
    pair = image.repeat(3, 1, 1, 1)
    found = vary_strokes(pair, torch.tensor([0.5, 0.0, -0.25]))[:, 0, 1]
    # half of the dilation (100) at the sides; unchanged; a quarter of the erosion (0) inside
    assert found.tolist() == [[50, 100, 50], [0, 100, 0], [0, 75, 0]]


def test_the_seed_decides_and_the_batch_does_not() -> None:
    bounds = AUGMENTATIONS["digit"]
    first, again = (draw_variations(64, 28, 28, bounds, generator(7)) for _ in range(2))
    assert torch.equal(first.theta, again.theta)
    assert torch.equal(first.stroke, again.stroke)
    other = draw_variations(64, 28, 28, bounds, generator(8))
    assert not torch.equal(first.theta, other.theta)
    images = torch.rand(64, 1, 28, 28, generator=generator())
    whole = warp(images, first.theta)
    halves = torch.cat([warp(images[:32], first.theta[:32]), warp(images[32:], first.theta[32:])])
    assert torch.equal(whole, halves)


def test_a_mirrored_flag_does_not_disturb_the_other_draws() -> None:
    plain = draw_variations(8, 28, 28, Augmentation(shift=1), generator())
    flips = draw_variations(8, 28, 28, replace(Augmentation(shift=1), flip=True), generator())
    assert torch.equal(plain.theta[:, :, 2], flips.theta[:, :, 2])
