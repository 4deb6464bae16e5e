"""From picture files to predictions: decoded in parallel, predicted in chunks, in input order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.errors import CnncliError, failure_of
from cnncli.images import Picture, read_picture
from cnncli.inference.doubt import FLAGGED
from cnncli.inference.engine import Engine
from cnncli.inputs import STDIN
from cnncli.pipeline import ordered_map
from cnncli.preprocess import (
    Box,
    Number,
    Pieces,
    Prepared,
    prepare_all,
    prepare_number,
    to_network_input,
)

CHUNK = 128  # pictures that go through the network together; also how late a result may come

# What the network's confidence and its out-of-distribution score add to the evidence of a picture:
# fitted together with the evidence's own weights (benchmarks/reading.py --fit).
CONFIDENT, STRANGE = 5.0, 11.0
SPLIT = 1.0  # what each digit more must gain where digits touch

UNKNOWN = "unknown"
UNFAMILIAR = "unfamiliar: it is unlike the pictures that the network has learned"


@dataclass(frozen=True, slots=True)
class Guess:
    """One class and how likely it is."""

    label: str
    index: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says about one picture, or why it could not be asked.

    Parameters
    ----------
    path
        The input.
    top
        The likeliest classes, best first; empty if there was an error.
    warnings
        What is doubtful about the picture itself.
    error
        Why there is no prediction.
    prepared
        What the network was shown.
    known
        False if the best class is less likely than was asked for.
    doubt
        From 0 to 1: how unlike the training pictures it is; None if the weights cannot tell.
    digits
        Of a number: its digits from left to right. Then `top` has one entry, the number.
    boxes
        Left, top, right, bottom of what was read, in pixels of the picture.
    text
        Of a number: its digits with decimal points, commas and minus signs where they are clear.
    """

    path: Path
    top: tuple[Guess, ...] = ()
    warnings: tuple[str, ...] = ()
    error: CnncliError | None = None
    prepared: Prepared | None = None
    known: bool = True
    doubt: float | None = None
    digits: tuple[Guess, ...] = ()
    boxes: tuple[Box, ...] = ()
    text: str | None = None

    @property
    def label(self) -> str | None:
        """The best class, ``"unknown"`` if it is not likely enough, None after an error."""
        if not self.top:
            return None
        return self.top[0].label if self.known else UNKNOWN


def _likelihood(part: Prepared, probabilities: NDArray[np.float32], ood: float | None) -> float:
    """Return how likely a picture shows a digit, by what is around it and by the network."""
    confidence = CONFIDENT * float(np.log(probabilities.max()))
    return part.evidence + confidence - STRANGE * (ood or 0.0)


def _best_way(pieces: Pieces, likelihood: Callable[[Prepared], float]) -> list[Prepared]:
    """Return the likeliest digits of one object, from its first cut to its last one."""
    ways: dict[int, tuple[float, list[Prepared]]] = {0: (0.0, [])}
    for start, stop in sorted(pieces):
        if start in ways:
            part = max(pieces[start, stop], key=likelihood)
            total = ways[start][0] + likelihood(part) - SPLIT
            if stop not in ways or total > ways[stop][0]:
                ways[stop] = total, [*ways[start][1], part]
    return ways[max(ways)][1]


@dataclass(frozen=True, slots=True)
class Predictor:
    """A checkpoint, the engine that runs it, and how its answers are asked for.

    Parameters
    ----------
    checkpoint, engine
        The network.
    how
        Overrules the checkpoint's preprocessing; see :func:`cnncli.preprocess.prepare`.
    top
        How many classes to name.
    min_confidence
        Below it the label is ``"unknown"``.
    numbers
        Read several digits in each picture, from left to right.
    """

    checkpoint: Checkpoint
    engine: Engine
    how: str = "auto"
    top: int = 3
    min_confidence: float = 0.0
    numbers: bool = False

    def predict(
        self,
        paths: Sequence[Path],
        jobs: int = 1,
        read: Callable[[Path], Picture] = read_picture,
    ) -> Iterator[Prediction]:
        """Predict pictures as a stream: memory does not grow with their number.

        Parameters
        ----------
        paths
            Inputs.
        jobs
            Threads that decode and prepare.
        read
            How a path becomes a picture.

        Yields
        ------
        Prediction
            One an input, in order; a picture that cannot be read yields its error.
        """

        def shown(path: Path) -> Number | CnncliError:
            try:
                if self.numbers:
                    return prepare_number(read(path), self.checkpoint.preprocessing)
                found = prepare_all(read(path), self.checkpoint.preprocessing, self.how)
                return Number([{(0, 1): tuple(found)}])
            except Exception as error:  # one picture must not end the others, whatever it does
                return failure_of("stdin" if path == STDIN else str(path), error)

        results = zip(paths, ordered_map(shown, paths, jobs), strict=True)
        while chunk := list(islice(results, CHUNK)):
            yield from self._classify(chunk)

    def _classify(self, chunk: Sequence[tuple[Path, Number | CnncliError]]) -> Iterator[Prediction]:
        """Ask the network about all ways to read the pictures at once, and keep the likeliest."""
        numbers = [found for _, found in chunk if isinstance(found, Number)]
        parts = {id(part): part for found in numbers for part in found.parts()}
        rows = self._answers([part.pixels for part in parts.values()])
        answers = dict(zip(parts, rows, strict=True))

        def likelihood(part: Prepared) -> float:
            return _likelihood(part, *answers[id(part)])

        for path, found in chunk:
            if isinstance(found, CnncliError):
                yield Prediction(path, error=found)
                continue
            best = [part for pieces in found.objects for part in _best_way(pieces, likelihood)]
            read = [self._prediction(path, part, *answers[id(part)]) for part in best]
            yield self._number(path, read, found.marks) if self.numbers else read[0]

    def _number(
        self, path: Path, read: Sequence[Prediction], marks: Sequence[tuple[int, str]]
    ) -> Prediction:
        """Return the digits of one picture as one prediction, as sure as all of them together."""
        digits = tuple(digit.top[0] for digit in read)
        marked = [digit.label for digit in digits]
        for before, mark in reversed(marks):
            marked.insert(before, mark)
        confidence = prod(digit.confidence for digit in digits)
        number = Guess("".join(digit.label for digit in digits), -1, confidence)
        seen = [digit.prepared.pixels for digit in read if digit.prepared is not None]
        warnings = tuple(dict.fromkeys(text for digit in read for text in digit.warnings))
        doubts = [digit.doubt for digit in read if digit.doubt is not None]
        return Prediction(
            path,
            (number,),
            warnings,
            None,
            Prepared(np.concatenate(seen, axis=1), warnings),
            confidence >= self.min_confidence,
            max(doubts, default=None),
            digits,
            tuple(box for digit in read for box in digit.boxes),
            "".join(marked),
        )

    def _answers(
        self, pixels: list[NDArray[np.uint8]]
    ) -> Iterable[tuple[NDArray[np.float32], float | None]]:
        if not pixels:
            return ()
        batch = to_network_input(np.stack(pixels), self.checkpoint.preprocessing)
        shares, doubt = self.engine.answers(batch)
        return zip(shares, repeat(None) if doubt is None else doubt.tolist(), strict=False)

    def _prediction(
        self, path: Path, prepared: Prepared, row: NDArray[np.float32], doubt: float | None
    ) -> Prediction:
        if prepared.blank:  # nothing was seen, and nothing follows from it
            row = np.full_like(row, 1 / len(row))
            doubt = None if doubt is None else 1.0
        best = np.argsort(-row, kind="stable")[: self.top]
        classes = self.checkpoint.classes
        top = tuple(Guess(classes[index], int(index), float(row[index])) for index in best)
        known = top[0].confidence >= self.min_confidence
        warnings = prepared.warnings
        if doubt is not None and doubt >= FLAGGED and not prepared.blank:
            warnings = (*warnings, UNFAMILIAR)
        boxes = () if prepared.box is None else (prepared.box,)
        return Prediction(path, top, warnings, None, prepared, known, doubt, (), boxes)
