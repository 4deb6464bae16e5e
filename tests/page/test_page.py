"""``cnncli page`` in a real browser: the same numbers, by mouse and by keyboard, and no request."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnncli.checkpoint import Checkpoint, read_checkpoint
from cnncli.config import ModelConfig
from cnncli.images import read_picture
from cnncli.inference.engine import load_engine
from cnncli.ops import filter_image
from cnncli.page.build import pack
from cnncli.preprocess import prepare, to_network_input
from cnncli.resources import sample_image, shipped_weights
from tests.cli.test_summary import random_checkpoint
from tests.conftest import CliRunner
from tests.page.conftest import OpenPage
from tests.page.strokes import DRAWN, draw, settle

SAMPLES = sorted(sample_image("scene.png").parent.glob("digit-*"))
RUN = "pixels => network.run(Uint8Array.from(pixels))"


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped weights."""
    return written(
        tmp_path_factory.mktemp("page") / "page.html", read_checkpoint(shipped_weights())
    )


def written(path: Path, checkpoint: Checkpoint) -> Path:
    from cnncli.page.build import page

    samples = [(f.stem, prepare(read_picture(f), checkpoint.preprocessing).pixels) for f in SAMPLES]
    path.write_text(page(checkpoint, "a test", samples), "utf-8")
    return path


def bars(page: Any) -> list[float]:
    """What the bars show of each class, as it was computed."""
    return page.evaluate(
        "[...document.querySelectorAll('.bars .fill')].map(bar => "
        "Number(bar.style.transform.slice(7, -1)))"
    )


def mnist_digits(folder: Path) -> np.ndarray:
    """Return the first 200 test digits."""
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(16 + 200 * 784), np.uint8)[16:].reshape(200, 28, 28, 1)


def test_the_command_writes_one_file(cli: CliRunner, tmp_path: Path) -> None:
    done = cli("page", "-o", "mine.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine.html: ")
    text = (tmp_path / "mine.html").read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)
    assert len(text) < 1.2e6


def test_weights_keep_19_bits() -> None:
    """Against a reader of our own: float16 by its bits, the rest in 254ths of its spacing."""
    import base64

    weights = np.random.default_rng(0).normal(0, 0.2, 5000).astype(np.float32)
    weights[:6] = [0, 1, -1, 0.25, -0.5, 6.1e-5]
    packed = pack(weights)
    bits = np.frombuffer(base64.b64decode(packed["half"]), "<u2")
    rest = np.frombuffer(base64.b64decode(packed["rest"]), np.int8)
    exponent = np.maximum((bits >> 10) & 31, 1).astype(float)
    read = bits.view("<f2").astype(float) + rest / 254 * 2 ** (exponent - 25)
    assert np.abs(read - weights).max() <= 2**-19 * np.abs(weights).max()
    large = np.abs(weights) > 1e-3
    assert np.abs(read[large] / weights[large] - 1).max() < 2**-18.9


def test_digits_as_arrays_have_the_same_probabilities(
    page_file: Path, open_page: OpenPage, mnist_folder: Path
) -> None:
    pixels = mnist_digits(mnist_folder)
    checkpoint = read_checkpoint(shipped_weights())
    ours, ood = load_engine(checkpoint).answers(to_network_input(pixels, checkpoint.preprocessing))
    page = open_page(page_file)
    found = page.evaluate(f"list => list.map({RUN})", [p.ravel().tolist() for p in pixels])
    assert np.abs(np.array([each["probabilities"] for each in found]) - ours).max() <= 1e-5
    assert np.abs(np.array([each["ood"] for each in found]) - ood).max() <= 1e-4


def test_a_sample_button_shows_what_predict_says(page_file: Path, open_page: OpenPage) -> None:
    checkpoint = read_checkpoint(shipped_weights())
    page = open_page(page_file)
    for sample in SAMPLES:
        pixels = prepare(read_picture(sample), checkpoint.preprocessing).pixels[None]
        batch = to_network_input(pixels, checkpoint.preprocessing)
        page.get_by_label(f"sample {sample.stem}", exact=True).click()
        ours = load_engine(checkpoint).probabilities(batch)[0]
        assert bars(page) == pytest.approx(ours.tolist(), abs=1e-5), sample


def drop(page: Any, path: Path) -> None:
    """Hand the page a picture, and wait until it is read."""
    page.evaluate("performance.clearMeasures('picture')")
    page.set_input_files("#file", path)
    page.evaluate(
        "new Promise(done => { const look = () => performance.getEntriesByName('picture', "
        "'measure').length ? done() : setTimeout(look, 10); look(); })"
    )  # the page's own policy forbids Playwright's wait_for_function, which evaluates text


def require_equal(page: Any, paths: list[Path], predicted: str) -> None:
    for path, line in zip(paths, predicted.splitlines(), strict=True):
        record = json.loads(line)
        drop(page, path)
        shown = bars(page)
        for guess in record["top"]:
            assert shown[guess["index"]] == pytest.approx(guess["confidence"], abs=1e-3), path
        warnings = page.locator("#warnings li").all_inner_texts()
        assert warnings == record["warnings"], path


def test_a_picture_is_read_as_predict_reads_it(
    page_file: Path, open_page: OpenPage, cli: CliRunner, tmp_path: Path
) -> None:
    told = cli("predict", *SAMPLES, "-w", shipped_weights(), "--json", "--top", "10", "-q")
    page = open_page(page_file)
    require_equal(page, SAMPLES, told.stdout)
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "text.png")
    page.get_by_text("this is no picture that the browser can read").wait_for()


@pytest.mark.slow
def test_mnist_digits_as_pictures(
    page_file: Path, open_page: OpenPage, cli: CliRunner, mnist_folder: Path, tmp_path: Path
) -> None:
    paths = []
    for k, pixels in enumerate(mnist_digits(mnist_folder)):
        paths.append(tmp_path / f"{k:03}.png")
        Image.fromarray(pixels[:, :, 0]).save(paths[-1])
    told = cli("predict", *paths, "-w", shipped_weights(), "--json", "--top", "10", "-q")
    require_equal(open_page(page_file), paths, told.stdout)


def test_drawn_digits_are_read(page_file: Path, open_page: OpenPage) -> None:
    page = open_page(page_file)
    for digit, strokes in DRAWN.items():
        draw(page, strokes)
        assert page.locator("#answer b").inner_text() == digit
        assert page.locator("#warnings").inner_text() == "", digit
        page.get_by_role("button", name="Clear").click()
        settle(page)
        assert page.locator("#answer").inner_text() == "nothing yet"


def test_every_map_equals_features(
    page_file: Path, open_page: OpenPage, cli: CliRunner, tmp_path: Path
) -> None:
    done = cli("features", SAMPLES[2], "-o", "f.png", "--npz", "maps.npz", "-w", shipped_weights())
    assert done.returncode == 0, done.stderr
    wanted = prepare(read_picture(SAMPLES[2]), read_checkpoint(shipped_weights()).preprocessing)
    page = open_page(page_file)
    stages = page.evaluate(
        "pixels => network.run(Uint8Array.from(pixels)).stages.map(s => [s.name, [...s.values]])",
        wanted.pixels.ravel().tolist(),
    )
    with np.load(tmp_path / "maps.npz") as arrays:
        assert [name for name, _ in stages] == list(arrays)
        for name, values in stages:
            np.testing.assert_allclose(values, arrays[name].ravel(), 1e-5, 1e-5, err_msg=name)


def test_a_clicked_point_is_explained_by_its_sum(page_file: Path, open_page: OpenPage) -> None:
    page = open_page(page_file)
    page.get_by_label(f"sample {SAMPLES[3].stem}", exact=True).click()
    for layer, frame in enumerate(page.locator(".frame").all()[1:], 1):
        size = frame.bounding_box()
        frame.locator("canvas").first.click(
            position={"x": size["width"] * 0.37, "y": size["height"] * 0.4}
        )
        headline = page.locator("#layers .headline").inner_text()
        value = float(headline.rsplit(" ", 1)[1])
        last = page.locator("#layers .explanation .sum").last.inner_text()
        assert float(last.rsplit("= ", 1)[1]) == pytest.approx(value, abs=2e-5), headline
        if layer in (1, 4):  # convolutions: the products by hand
            products = page.locator("#layers .matrix").nth(2).locator("td").all_inner_texts()
            total = sum(map(float, products))
            line = page.locator("#layers .explanation .sum").first.inner_text()
            assert float(line.rsplit("= ", 1)[1]) == pytest.approx(total, abs=2e-5)


def test_the_keyboard_reaches_everything(page_file: Path, open_page: OpenPage) -> None:
    page = open_page(page_file)
    reached, name = [], ""
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate("(e => e.id || e.ariaLabel || e.textContent)(document.activeElement)")
        if reached and name == reached[0]:
            break
        reached.append(name)
    for wanted in ("pad", "clear", "undo", "rubber", "open", "kernel-preset", "kernel-after"):
        assert wanted in reached
    assert sum(each.startswith("sample ") for each in reached) == len(SAMPLES)
    assert sum(", 16 maps" in each for each in reached) >= 3


def test_from_layer_to_layer_by_keyboard(page_file: Path, open_page: OpenPage) -> None:
    page = open_page(page_file)
    page.locator(".frame").nth(1).focus()
    for keys, headline in (
        (["n", "ArrowRight", "PageDown"], "relu1, map 1, column 15, row 14: "),
        (["n"], "pool1, map 1, column 7, row 7: "),
        (["p", "p", "ArrowUp", "PageUp"], "conv1, map 0, column 15, row 14: "),
    ):
        for key in keys:
            page.keyboard.press(key)
        assert page.locator("#layers .headline").inner_text().startswith(headline)


def test_a_digit_drawn_by_keyboard(page_file: Path, open_page: OpenPage) -> None:
    page = open_page(page_file)
    page.locator("#pad").focus()
    for key in ["ArrowUp"] * 12 + ["Space"] + ["ArrowDown"] * 24 + ["Space"]:
        page.keyboard.press(key)
    settle(page)
    assert page.locator("#answer b").inner_text() == "1"


def test_names_of_classes_are_text(open_page: OpenPage, tmp_path: Path) -> None:
    names = (
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(2)>",
        "<b>",
        *"3456789",
    )
    checkpoint = read_checkpoint(shipped_weights())
    card = {"data": "</script><script>alert(3)</script>", "<i>": "<img src=http://example.com/x>"}
    hostile = replace(checkpoint, classes=names, card=card)
    page = open_page(written(tmp_path / "hostile.html", hostile))
    shown = page.locator(".bars .name").all_inner_texts()
    assert tuple(shown) == names
    assert page.evaluate("document.scripts.length") == 2
    assert page.locator("img:not(#stored)").count() == 0
    assert card["data"] in page.locator("#card").inner_text()


def test_a_kernel_changed_by_hand_filters_as_convolve_does(
    page_file: Path, open_page: OpenPage
) -> None:
    page = open_page(page_file)
    page.get_by_label("kernel, row 1, column 2").fill("-2.5")
    page.get_by_label("divided by").fill("2")

    def grey(name: str) -> np.ndarray:
        values = page.evaluate(
            "id => (c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, "
            "c.height).data.filter((_, i) => i % 4 === 0)])(document.getElementById(id))",
            f"kernel-{name}",
        )
        return np.array(values[2:], np.uint8).reshape(values[:2])

    kernel = np.array([[-1, -2.5, 1], [-1, 0, 1], [-1, 0, 1]])
    ours = filter_image(grey("before"), kernel, scale=2)[0]
    assert np.array_equal(grey("after"), ours)
    assert (
        '-k "-1 -2.5 1; -1 0 1; -1 0 1" --scale 2' in page.locator("#kernel-command").inner_text()
    )


def test_a_network_that_is_too_large_shows_stored_maps(
    open_page: OpenPage, cli: CliRunner, tmp_path: Path
) -> None:
    random_checkpoint(tmp_path / "deep.safetensors", ModelConfig("deep", 3, 32, 32, 3))
    done = cli("page", sample_image("scene.png"), "-w", "deep.safetensors", "-o", "deep.html")
    assert done.returncode == 0, done.stderr
    told = cli("predict", sample_image("scene.png"), "-w", "deep.safetensors", "--json", "-q")
    page = open_page(tmp_path / "deep.html")
    top = json.loads(told.stdout)["top"]
    for guess in top:
        assert bars(page)[guess["index"]] == pytest.approx(guess["confidence"], abs=1e-5)
    assert page.locator("#pad").count() == 0
    page.locator(".frame canvas").first.click()
    assert "Computed beforehand" in page.locator("#layers .explanation").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_screen(
    width: int, scheme: str, page_file: Path, open_page: OpenPage
) -> None:
    page = open_page(page_file, width, scheme)
    page.get_by_label(f"sample {SAMPLES[3].stem}", exact=True).click()
    page.locator(".frame canvas").nth(8).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
