"""From picture files to predictions: each read and prepared alone, predicted together."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.errors import CnncliError, failure_of
from cnncli.images import Picture, read_picture
from cnncli.inference.doubt import FLAGGED
from cnncli.inference.engine import Engine
from cnncli.inference.onnx_model import OnnxModel
from cnncli.preprocess import (
    Box,
    Number,
    Pieces,
    Prepared,
    prepare_all,
    prepare_number,
    to_network_input,
)

# What the network's confidence and its out-of-distribution score add to the evidence of a picture.
CONFIDENT, STRANGE = 5.0, 11.0
# The same for there being a digit at all; below 0 that is flagged.
CLEAR_CONFIDENT, CLEAR_STRANGE = 5.71, 8.45
LEAST_SURE = -3.0  # logarithm of a probability: what is lower counts as that
ODDS = -4.0, 8.0  # logarithms of odds of that score: what is beyond counts as that

UNKNOWN = "unknown"
UNCLEAR = "unclear: nothing stands out as one digit does"
UNFAMILIAR = "unfamiliar: it is unlike the pictures that the network has learned"

# An engine keeps scratch memory between its calls, and takes the cores that it wants by itself.
_one_at_a_time = threading.Lock()


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
    features
        ``(F,)``, what the last layer sees; kept if asked for.
    """

    path: str
    top: tuple[Guess, ...] = ()
    warnings: tuple[str, ...] = ()
    error: CnncliError | None = None
    prepared: Prepared | None = None
    known: bool = True
    doubt: float | None = None
    digits: tuple[Guess, ...] = ()
    boxes: tuple[Box, ...] = ()
    text: str | None = None
    features: NDArray[np.floating] | None = None

    @property
    def label(self) -> str | None:
        """The best class, ``"unknown"`` if it is not likely enough, None after an error."""
        if not self.top:
            return None
        return self.top[0].label if self.known else UNKNOWN


_Answer = tuple[NDArray[np.float32], float | None, NDArray[np.floating] | None]


def _read(
    engine: "Engine | OnnxModel | RemoteEngine", pixels: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Return what an engine says of prepared pictures, the same whatever goes along with each.

    A matrix product rounds differently for other numbers of rows. NumPy gets one picture at a time,
    for 0.2 ms each, so that shards and resumed runs give the lines of the whole; torch does not.
    """
    if engine.name != "numpy":
        return engine.read(pixels)
    found = [engine.read(pixels[at : at + 1]) for at in range(len(pixels))]
    doubts = [doubt for _, doubt in found if doubt is not None]
    probabilities = np.concatenate([each for each, _ in found])
    return probabilities, np.concatenate(doubts) if doubts else None


class RemoteEngine:
    """An engine that is loaded where it works: in another process, on another machine.

    Parameters
    ----------
    load
        Picklable; returns the engine.
    """

    name = "remote"

    def __init__(self, load: Callable[[], Engine | OnnxModel]) -> None:
        self._load = load
        self._engine: Engine | OnnxModel | None = None

    def read(
        self, pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        """Return what the engine says of prepared pictures."""
        if self._engine is None:
            self._engine = self._load()
        return _read(self._engine, pixels)


def _failure(source: str, error: Exception) -> CnncliError:
    return failure_of("stdin" if source == "-" else source, error)


def _likelihood(part: Prepared, probabilities: NDArray[np.float32], ood: float | None) -> float:
    """Return how likely this is the digit, by what is around it and by the network.

    It is never above the evidence alone.
    """
    confidence = CONFIDENT * float(np.log(probabilities.max()))
    return part.evidence + confidence - STRANGE * (ood or 0.0)


def _piece_likelihood(
    part: Prepared, probabilities: NDArray[np.float32], ood: float | None
) -> float:
    """Return how likely this is one digit of a number, likewise."""
    if ood is None:
        return part.evidence + CONFIDENT * float(np.log(probabilities.max()))
    odds = np.log(ood + 1e-30) - np.log1p(1e-30 - ood)
    return part.evidence - float(np.clip(odds, *ODDS))


def _is_clear(part: Prepared, probabilities: NDArray[np.float32], ood: float | None) -> bool:
    """Tell whether there is a digit at all, by the same signs."""
    confidence = CLEAR_CONFIDENT * max(float(np.log(probabilities.max())), LEAST_SURE)
    return part.clear + confidence >= CLEAR_STRANGE * (ood or 0.0)


def _best_way(pieces: Pieces, likelihood: Callable[[Prepared], float]) -> list[Prepared]:
    """Return the likeliest digits of a number, from its first cut to its last one."""
    ways: dict[int, tuple[float, list[Prepared]]] = {0: (0.0, [])}
    for start, stop in sorted(pieces):
        if start in ways:
            part = pieces[start, stop]
            total = ways[start][0] + likelihood(part)
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
    read
        How a path becomes a picture.
    keep_prepared
        Whether what the network was shown goes along with the prediction.
    keep_features
        Whether its features go along, too; of an engine of our own, for pictures of one thing.
    chunk
        Pictures that go through the network together.
    """

    checkpoint: Checkpoint | OnnxModel
    engine: Engine | OnnxModel | RemoteEngine
    how: str = "auto"
    top: int = 3
    min_confidence: float = 0.0
    numbers: bool = False
    read: Callable[[str], Picture] = read_picture
    keep_prepared: bool = True
    keep_features: bool = False
    chunk: int = 32

    @property
    def in_processes(self) -> bool:
        """Whether other processes may do it; torch would be imported in each."""
        return self.engine.name in ("numpy", RemoteEngine.name)

    def __call__(self, sources: Sequence[str]) -> list[Prediction]:
        """Read, prepare and predict pictures; one that cannot be read yields its error.

        What a picture may show comes in the order of evidence, from which the network only takes:
        what is as likely as the next one's evidence has won.
        """
        if self.numbers:
            return self._numbers(sources)
        # Not to prepare the others saves 7 % of the time of a scan of 16x16 pixels, 5 % of a
        # display's (medians of 3 comparisons, AVX2).
        found = [self._candidates(source) for source in sources]
        best: dict[int, tuple[float, Prediction]] = {}
        undecided = list(range(len(sources)))
        while undecided:
            shown: dict[int, Prepared] = {}
            for i in undecided:
                part = next(found[i])
                if isinstance(part, CnncliError):
                    best[i] = inf, self.failed(sources[i], part)
                else:
                    shown[i] = part
            undecided = []
            answers = self._answers(list(shown.values()))
            for (i, part), answer in zip(shown.items(), answers, strict=True):
                likelihood = _likelihood(part, *answer[:2])
                if i not in best or likelihood > best[i][0]:
                    best[i] = likelihood, self._prediction(sources[i], part, *answer)
                if best[i][0] < part.runner_up:
                    undecided.append(i)
        return [self._kept(best[i][1]) for i in range(len(sources))]

    def _candidates(self, source: str) -> Iterator[Prepared | CnncliError]:
        """Yield what a picture may show, or why it cannot be told."""
        try:
            yield from prepare_all(self.read(source), self.checkpoint.preprocessing, self.how)
        except Exception as error:  # one picture must not end the others, whatever it does
            yield _failure(source, error)

    def _numbers(self, sources: Sequence[str]) -> list[Prediction]:
        """Return the number that each picture shows most likely."""
        prepared = list(map(self._cut, sources))
        parts = [
            part
            for found in prepared
            if isinstance(found, Number)
            for part in found.pieces.values()
        ]
        answers = {id(part): row for part, row in zip(parts, self._answers(parts), strict=True)}

        def likelihood(part: Prepared) -> float:
            return _piece_likelihood(part, *answers[id(part)][:2])

        predictions = []
        for source, found in zip(sources, prepared, strict=True):
            if isinstance(found, CnncliError):
                predictions.append(self.failed(source, found))
                continue
            best = _best_way(found.pieces, likelihood)
            read = [self._prediction(source, part, *answers[id(part)]) for part in best]
            predictions.append(self._kept(self._number(source, read, found.marks)))
        return predictions

    def failed(self, source: str, error: CnncliError) -> Prediction:
        """Return the prediction of a picture that the network could not be asked about."""
        return Prediction(source, error=error)

    def _kept(self, prediction: Prediction) -> Prediction:
        return prediction if self.keep_prepared else replace(prediction, prepared=None)

    def _cut(self, source: str) -> Number | CnncliError:
        """Return what may be the digits of a picture, or why it cannot be told."""
        try:
            return prepare_number(self.read(source), self.checkpoint.preprocessing)
        except Exception as error:
            return _failure(source, error)

    def _number(
        self, path: str, read: Sequence[Prediction], marks: Sequence[tuple[float, str]]
    ) -> Prediction:
        """Return the digits of one picture as one prediction, as sure as all of them together."""
        digits = tuple(digit.top[0] for digit in read)
        places = [
            (digit.boxes[0][0] + digit.boxes[0][2]) / 2 if digit.boxes else 0.0 for digit in read
        ]
        marked = sorted([*zip(places, (digit.label for digit in digits), strict=True), *marks])
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
            "".join(character for _, character in marked),
        )

    def _answers(self, parts: Sequence[Prepared]) -> list[_Answer]:
        """Return the probabilities, the doubt and the features of each prepared picture."""
        if not parts:
            return []
        pixels = np.stack([part.pixels for part in parts])
        features: Sequence[NDArray[np.floating] | None] = [None] * len(parts)
        with _one_at_a_time:
            if self.keep_features and isinstance(self.engine, Engine):
                batch = to_network_input(pixels, self.checkpoint.preprocessing)
                probabilities, doubt, hidden = self.engine.all_answers(batch)
                features = list(hidden.astype(np.float16))
            else:
                probabilities, doubt = _read(self.engine, pixels)
        doubts = [None] * len(parts) if doubt is None else doubt.tolist()
        return list(zip(probabilities, doubts, features, strict=True))

    def _prediction(
        self,
        path: str,
        prepared: Prepared,
        row: NDArray[np.float32],
        doubt: float | None,
        features: NDArray[np.floating] | None,
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
        elif not _is_clear(prepared, row, doubt):
            warnings = (*warnings, UNCLEAR)
        boxes = () if prepared.box is None else (prepared.box,)
        return Prediction(
            path, top, warnings, None, prepared, known, doubt, (), boxes, None, features
        )
