"""Any picture of a digit becomes the same 28x28 pixels, in MNIST's place and size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cnncli.config import Preprocessing
from cnncli.errors import ShapeError
from cnncli.images import Picture, read_picture
from cnncli.images.scaling import reduce, resize
from cnncli.preprocess import prepare, to_network_input
from cnncli.preprocess.lines import find_lines, without_lines
from cnncli.preprocess.objects import label_components
from cnncli.preprocess.quantile import quantile
from cnncli.preprocess.stroke import change_width, stroke_width
from cnncli.resources import sample_image

DIGIT = Preprocessing()
SAMPLES = sorted(path.name for path in sample_image("scene.png").parent.glob("digit-*"))


def drawing(height: int = 120, width: int = 100) -> np.ndarray:
    """A black 7 on white: two strokes."""
    y, x = np.mgrid[:height, :width]
    bar = (abs(y - 30) < 5) & (x > 25) & (x < 75)
    stem = (abs((x - 70) + (y - 30) * 0.4) < 5) & (y > 25) & (y < 95)
    return np.where(bar | stem, 20, 240).astype(np.uint8)


def seen(pixels: np.ndarray, **changes: object) -> np.ndarray:
    return prepare(Picture(pixels)._replace(**changes), DIGIT).pixels[:, :, 0]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def moved_likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the best likeness up to a move by one pixel: a centre of mass is rounded to one."""
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return max(likeness(np.roll(one, move, (0, 1)), other) for move in moves)


def assert_like_mnist(pixels: np.ndarray) -> None:
    rows, columns = np.nonzero(pixels > 40)
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    assert 19 <= longest <= 21
    assert pixels.max() > 200
    assert np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).max() == 0
    centre = ndimage.center_of_mass(pixels)
    assert np.allclose(centre, 14, atol=0.51)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_placed_as_mnist_is(name: str) -> None:
    pixels = prepare(read_picture(sample_image(name)), DIGIT).pixels
    assert pixels.shape == (28, 28, 1)
    assert pixels.dtype == np.uint8
    assert_like_mnist(pixels[:, :, 0])


@given(
    shift=st.tuples(st.integers(0, 150), st.integers(0, 150)),
    zoom=st.integers(1, 3),
    light=st.floats(0.3, 1.0),
    inverted=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_place_size_light_and_polarity_change_nothing(
    shift: tuple[int, int], zoom: int, light: float, inverted: bool
) -> None:
    wide = np.pad(drawing(), ((shift[0], 150 - shift[0]), (shift[1], 150 - shift[1])), "edge")
    changed = (wide.repeat(zoom, 0).repeat(zoom, 1) * light).astype(np.uint8)
    changed = 255 - changed if inverted else changed
    assert moved_likeness(seen(changed), seen(drawing())) > 0.96


@pytest.mark.parametrize("turns", range(4))
def test_a_quarter_turn_of_the_picture_turns_the_result(turns: int) -> None:
    turned = seen(np.ascontiguousarray(np.rot90(drawing(), turns)))
    back = np.rot90(turned, -turns)  # pixel 14 is off the middle, so that a turn moves by one
    assert moved_likeness(back, seen(drawing())) > 0.97


def test_a_normal_picture_passes_through_unharmed() -> None:
    normal = seen(drawing())
    assert np.array_equal(seen(normal), normal)
    assert np.array_equal(seen(255 - normal), normal)
    colour = np.repeat(normal[:, :, None], 3, axis=2)
    assert np.array_equal(seen(colour), normal)


def test_a_28x28_picture_that_is_not_normal_is_made_so() -> None:
    assert_like_mnist(seen(resize(np.pad(drawing(), 10, "edge"), (28, 28))))


@pytest.mark.parametrize("depth", [np.uint16, np.int32, np.float32])
def test_deep_pixels_mean_the_same(depth: type) -> None:
    deep = drawing().astype(depth) * (16 if depth is not np.float32 else 1)
    assert likeness(seen(deep), seen(drawing())) > 0.99


@pytest.mark.parametrize("ink", [(10, 10, 10), (250, 250, 250), (250, 220, 40)])
def test_ink_on_nothing_is_seen_whatever_its_colour(ink: tuple[int, int, int]) -> None:
    alpha = (255 - drawing()) // 235 * 255
    pixels = np.broadcast_to(np.array(ink, np.uint8), (*alpha.shape, 3))
    found = seen(np.ascontiguousarray(pixels), alpha=alpha, mode="RGBA")
    assert likeness(found, seen(drawing())) > 0.95


def test_shade_rulings_specks_and_a_table_are_no_ink() -> None:
    random = np.random.default_rng(0)
    picture = np.pad(drawing(), 60, "edge").astype(float)
    picture[::20] = np.minimum(picture[::20], 190)
    picture *= np.linspace(0.5, 1, picture.shape[1])
    picture[random.random(picture.shape) < 0.002] = 60
    picture[:, :12] = 50
    assert likeness(seen(picture.astype(np.uint8)), seen(drawing())) > 0.9


def test_yellow_on_teal_is_found_though_its_grey_is_nearly_one() -> None:
    ink = drawing() < 100
    picture = np.where(ink[:, :, None], (255, 160, 30), (30, 190, 195)).astype(np.uint8)
    assert likeness(seen(picture), seen(drawing())) > 0.95


@pytest.mark.parametrize(
    ("radius", "least", "most"), [(1, 1.7, 3), (3, 1.7, 3), (12, 2.5, 4), (18, 3, 5.5)]
)
def test_strokes_come_into_mnists_range(radius: int, least: float, most: float) -> None:
    y, x = np.mgrid[:200, :160]
    ring = abs(np.hypot(x - 80, (y - 100) * 0.8) - 50) < radius
    pixels = seen(np.where(ring, 0, 255).astype(np.uint8))
    assert least < stroke_width(pixels / np.float32(255)) < most


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (np.full((60, 60), 200, np.uint8), "blank"),
        (np.zeros((28, 28), np.uint8), "blank"),
        (drawing()[:60], "cut off"),
        (np.hstack([drawing(), drawing()]), "several objects"),
        (np.where(drawing() < 100, 214, 240).astype(np.uint8), "low contrast"),
        (np.pad(np.zeros((60, 3), np.uint8), 40, constant_values=255), "elongated"),
    ],
)
def test_a_doubtful_picture_is_warned_of(picture: np.ndarray, word: str) -> None:
    warnings = prepare(Picture(picture), DIGIT).warnings
    assert [warning.split(":")[0] for warning in warnings] == [word]


def test_a_clear_picture_is_not_warned_of() -> None:
    prepared = prepare(Picture(drawing()), DIGIT)
    assert prepared.warnings == ()
    left, top, right, bottom = prepared.box
    assert (left, top) == pytest.approx((26, 26), abs=3)
    assert (right, bottom) == pytest.approx((75, 95), abs=3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 400, 3)])
def test_tiny_pictures_do_no_harm(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    assert prepare(Picture(pixels), DIGIT).pixels.shape == (28, 28, 1)


def test_none_takes_the_pixels_as_they_are_or_refuses() -> None:
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28)
    assert np.array_equal(prepare(Picture(pixels), DIGIT, "none").pixels[:, :, 0], pixels)
    with pytest.raises(ShapeError, match="30x28 pixels and the network takes 28x28; use"):
        prepare(Picture(np.zeros((28, 30), np.uint8)), DIGIT, "none")


def test_resize_covers_and_crops_the_centre() -> None:
    settings_ = Preprocessing("resize", 8, 8, 3, (0.5,) * 3, (0.5,) * 3)
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = (200, 100, 50)
    prepared = prepare(Picture(pixels), settings_).pixels
    assert prepared.shape == (8, 8, 3)
    assert (prepared[:, 2:-2] == (200, 100, 50)).all()
    small = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(prepare(Picture(small), settings_).pixels, small)


def test_network_input_by_hand() -> None:
    settings_ = Preprocessing("none", 1, 2, 2, (0.5, 0.0), (0.5, 2.0))
    batch = to_network_input(np.array([[[[0, 255], [255, 0]]]], np.uint8), settings_)
    assert batch.dtype == np.float32
    assert batch.tolist() == [[[[-1.0, 1.0]], [[0.5, 0.0]]]]


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.95))
@settings(max_examples=40, deadline=None)
def test_objects_are_scipys(seed: int, density: float) -> None:
    random = np.random.default_rng(seed)
    shape = random.integers(1, 40, 2)
    masks = np.array([random.random(shape) < part for part in (density, 0, density, 1)])
    for mask, found in zip(masks, label_components(masks), strict=True):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        for number in range(count):
            assert np.array_equal(found.mask(np.arange(count) == number), labels == number + 1)
        assert np.array_equal(found.areas, np.bincount(labels.ravel(), minlength=count + 1)[1:])
        boxes = [[s.start for s in b] + [s.stop for s in b] for b in ndimage.find_objects(labels)]
        assert found.boxes.tolist() == boxes


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sums_outlines_and_edges_of_objects(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random(random.integers(1, 30, 2)) < 0.4
    values = random.random(mask.shape).astype(np.float32)
    (found,) = label_components(mask[np.newaxis])
    for number in range(len(found.areas)):
        own = found.mask(np.arange(len(found.areas)) == number)
        assert found.sums(values)[number] == pytest.approx(values[own].sum(), rel=1e-5)
        steps = sum(abs(np.diff(np.pad(own, 1).astype(int), axis=axis)).sum() for axis in (0, 1))
        assert found.outlines[number] == pytest.approx(steps * np.pi / 4)
        inner = own.copy()
        inner[1:-1, 1:-1] = False
        assert found.edges[number] == inner.sum()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_all_objects_as_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random(random.integers(1, 30, 2)) < 0.3
    mask[0, 0] = True
    (apart,) = label_components(mask[np.newaxis])
    empty, one = label_components(np.array([mask & False, mask]), apart=False)
    assert len(empty.areas) == 0
    assert np.array_equal(one.mask(np.ones(1, bool)), mask)
    assert (one.areas, one.edges) == (apart.areas.sum(), apart.edges.sum())
    assert one.outlines[0] == pytest.approx(apart.outlines.sum())
    rows, columns = np.nonzero(mask)
    assert one.boxes.tolist() == [[0, 0, rows.max() + 1, columns.max() + 1]]
    assert one.longest[0] == max(one.boxes[0, 2:])


@given(st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_a_constant_and_a_mean(size: int, out: int) -> None:
    flat = np.full((size, size), 7, np.float32)
    assert np.allclose(resize(flat, (out, out)), 7, atol=1e-5)
    ramp = np.tile(np.arange(size, dtype=np.float32), (3, 1))
    assert resize(ramp, (3, out)).mean() == pytest.approx(ramp.mean(), abs=0.01 * size)


def test_reducing_averages_blocks() -> None:
    pixels = np.array([[0, 2, 9, 9], [4, 6, 9, 9]], np.uint8)
    assert reduce(pixels, 2).tolist() == [[3, 9]]
    assert reduce(pixels[:, :, None], 1).shape == (2, 4, 1)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30))
def test_a_quantile_is_the_lower_median(values: list[int]) -> None:
    assert quantile(np.array(values)) == sorted(values)[(len(values) - 1) // 2]


@pytest.mark.parametrize("slope", [-6, 0, 4])
def test_a_line_is_found_and_what_crosses_it_is_kept(slope: int) -> None:
    y, x = np.mgrid[:96, :128]
    line = abs(y - 40 - slope * (x / 127 - 0.5)) < 1
    stroke = (abs(x - 60) < 4) & (y > 20) & (y < 70)
    ink = np.where(stroke | line, 1, 0).astype(np.float32)
    lines = find_lines(ink, 0.3)
    assert lines[line].all()
    assert not lines[stroke & (abs(y - 40) > 6)].any()
    clear = without_lines(ink, lines)
    assert clear[line & ~stroke & (abs(x - 60) > 6)].max() == 0
    assert clear[stroke].mean() > 0.97


def test_nothing_that_ends_inside_is_a_line() -> None:
    ink = np.zeros((96, 128), np.float32)
    ink[40:44, 30:100] = 1
    assert not find_lines(ink, 0.3).any()


@pytest.mark.parametrize("pixels", [-4.0, -2.0, 2.0, 4.0, 6.0])
def test_a_strokes_width_changes_by_what_is_asked(pixels: float) -> None:
    bar = np.zeros((60, 60), np.float32)
    bar[10:50, 26:34] = 1
    changed = change_width(bar, pixels)
    assert changed[30].sum() == 8 + pixels  # across
    assert changed[:, 30].sum() == 40 + pixels  # and at the ends


def test_a_stroke_width_by_hand() -> None:
    bar = np.zeros((300, 20), np.float32)
    bar[20:280, 8:12] = 1
    assert stroke_width(bar) == pytest.approx(4, rel=0.03)  # 4 wide, 260 long
    assert stroke_width(np.zeros((5, 5), np.float32)) == 0
