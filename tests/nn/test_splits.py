"""Splits: stratified, seeded, complete and without overlap."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnncli.errors import DataError
from cnncli.nn.splits import Split, require_classes, stratified


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.9),
    seed=st.integers(0, 1000),
)
def test_every_picture_is_in_one_part_and_every_class_in_both(
    counts: list[int], fraction: float, seed: int
) -> None:
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    kept, held = stratified(labels, fraction, seed)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        share = int((labels[held] == label).sum())
        assert share == min(max(1, round(fraction * count)), count - 1)


def test_a_literal_split_has_the_classes_shares() -> None:
    kept, held = stratified(torch.tensor([0] * 10 + [1] * 30), 0.1, seed=0)
    assert (len(kept), len(held)) == (36, 4)
    assert int((held < 10).sum()) == 1


def test_the_seed_chooses_the_pictures() -> None:
    labels = torch.arange(10).repeat(20)
    first, again = stratified(labels, 0.2, 1)[1], stratified(labels, 0.2, 1)[1]
    assert torch.equal(first, again)
    assert not torch.equal(first, stratified(labels, 0.2, 2)[1])


def make(labels: list[int]) -> Split:
    return Split(torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None],
                 torch.tensor(labels))  # fmt: skip


def test_a_part_is_taken_by_places_or_from_the_start() -> None:
    split = make([0, 1, 0])
    assert split.take(torch.tensor([2, 0])).images.flatten().tolist() == [2, 0]
    assert split.take(slice(2)).images.flatten().tolist() == [0, 1]
    assert len(split.take(slice(9))) == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0], "of 1 class; a classifier needs two"), ([0, 0, 1], "only one picture of dog")],
)
def test_data_that_teaches_nothing_is_refused(labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=f"here .*{message}"):
        require_classes(make(labels), "here", ("cat", "dog"))
