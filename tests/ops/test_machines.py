"""Recorded work that waits for the next image: reused, never shared, never stale."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnncli.ops import filter_image
from cnncli.ops.machines import Machine
from cnncli.ops.program import Arena
from tests.ops.reference import correlate_loops

KERNEL = np.array([[1, 2, 0], [0, 1, 0], [0, 0, 3]])


def picture(seed: int, shape: tuple[int, ...] = (40, 30)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def filtered(image: np.ndarray, **options: object) -> np.ndarray:
    return filter_image(image, KERNEL, scale=7, range="clip", threads=1, **options)[0]


def expected(image: np.ndarray) -> np.ndarray:
    response = correlate_loops(np.pad(image.astype(int), 1, mode="reflect"), KERNEL)
    return np.clip(np.floor(np.asarray(response) / 7 + 0.5), 0, 255)


@pytest.fixture(autouse=True)
def none_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "_idle", [])


def test_the_next_image_finds_the_machine_of_the_last() -> None:
    filtered(picture(0))
    (machine,) = Machine._idle
    assert filtered(picture(1)).tolist() == expected(picture(1)).tolist()
    assert Machine._idle == [machine]


@pytest.mark.parametrize(
    "options", [{"border": "edge"}, {"dtype": "uint16"}, {"dtype": "float32"}, {"stride": 2}]
)
def test_another_task_takes_another_machine(options: dict[str, object]) -> None:
    filtered(picture(0))
    filtered(picture(0), **options)
    first, second = Machine._idle
    assert first is not second
    assert filtered(picture(2)).tolist() == expected(picture(2)).tolist()
    assert Machine._idle == [second, first]


def test_few_machines_wait_and_memory_goes_on_to_the_next() -> None:
    for rows in range(20, 30):
        image = picture(rows, (rows, 30))
        assert filtered(image).tolist() == expected(image).tolist()
    assert len(Machine._idle) == Machine._MOST


def test_a_machine_of_much_memory_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arena, "_MOST", 1000)
    assert filtered(picture(3)).tolist() == expected(picture(3)).tolist()
    assert Machine._idle == []


def test_many_threads_do_the_same_task_at_once() -> None:
    images = [picture(seed) for seed in range(200)]
    with ThreadPoolExecutor(8) as crew:
        found = list(crew.map(filtered, images))
    for image, pixels in zip(images, found, strict=True):
        assert pixels.tolist() == expected(image).tolist()
