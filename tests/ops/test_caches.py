"""The size of the second-level cache, as Linux writes it and where nothing does."""

from pathlib import Path

import numpy as np
import pytest

from cnncli.ops import caches, engines
from cnncli.ops.engines import Taps


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(text):
        file = tmp_path / "size"
        monkeypatch.setattr(caches, "_LEVEL_2", file)
        caches.second_level_cache.cache_clear()
        if text is not None:
            file.write_text(text)
        return caches.second_level_cache()

    yield write
    caches.second_level_cache.cache_clear()


@pytest.mark.parametrize(
    ("text", "found"), [("2048K\n", 2 << 20), ("512K\n", 512 << 10), ("much\n", 0), (None, 0)]
)
def test_it_is_read_or_unknown(says, text, found):
    assert says(text) == found


def test_one_thread_takes_small_tiles_where_the_cache_is_roomy(says):
    taps = Taps((np.ones((3, 3), int),), np.dtype(np.int16), (1, 1))
    size = 3000, 4000, 1
    assert says("2048K\n") >= engines.ROOMY
    one, two = taps.tile(*size, 1), taps.tile(*size, 2)
    assert one[0] * one[1] <= engines.SMALL_TILE < two[0] * two[1] <= engines.LARGE_TILE
    says("1024K\n")
    assert taps.tile(*size, 1) == two
