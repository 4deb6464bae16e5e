"""The kept cases, a short search from each target's seeds, and Hypothesis on text and bytes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS, seeds
from tests.reliability.hostile import damaged

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries warn of damage; nobody is shown it

CASES = sorted(path for path in CORPUS.rglob("*") if path.is_file())
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_corpus_is_there() -> None:
    assert len(CASES) >= 23


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_found_case_stays_mended(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_and_its_damaged_copies(name: str) -> None:
    for number, data in enumerate(seeds(name)):
        TARGETS[name](data)
        for seed in range(4):
            TARGETS[name](damaged(data, 1000 * number + seed))


@given(text=st.text(alphabet="0123456789+-.e/,; \t\n#x\u0663\u00b2", max_size=60))
@few
def test_kernel_text_from_its_own_letters(text: str) -> None:
    TARGETS["kernel_text"](text.encode())


@given(data=st.binary(max_size=200))
@few
def test_any_bytes_for_kernel_files_idx_and_headers(data: bytes) -> None:
    for name in ("kernel_file", "idx_file", "checkpoint"):
        TARGETS[name](data)


@given(head=st.sampled_from([data[:24] for data in seeds("picture")]), tail=st.binary(max_size=300))
@few
def test_a_true_beginning_and_any_end_for_pictures(head: bytes, tail: bytes) -> None:
    TARGETS["picture"](head + tail)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_longer_search_finds_nothing(name: str) -> None:
    from tests.fuzz.run import mutate_for

    tried, found = mutate_for(name, 30, first_seed=1_000_000)
    assert tried > 500
    assert not found
