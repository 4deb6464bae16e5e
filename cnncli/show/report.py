"""An evaluation as one page: figures, curves, confusions, mistakes and the network itself."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli import __version__
from cnncli.checkpoint import Checkpoint
from cnncli.images.data_uri import data_uri
from cnncli.inference.scores import Labelled, Scores, score, wilson_interval, worst_mistakes
from cnncli.layers import Layer
from cnncli.show.inline import script_hash
from cnncli.show.summary import card_lines

MOST_MISTAKES = 48
MOST_CELLS = 25  # classes beyond which a confusion matrix is no table for the eye
MOST_PAIRS = 12
EXAMPLES = 8  # of each class


def draw_report(
    shown: Labelled,
    probabilities: NDArray[np.float32],
    checkpoint: Checkpoint,
    layers: Sequence[Layer],
    history: Sequence[Mapping[str, float]],
    weights: str,
    command: str,
) -> str:
    """Return an HTML page that needs no other file and no network.

    Parameters
    ----------
    shown, probabilities
        The pictures, and ``(N, K)``.
    checkpoint, layers
        The network.
    history
        One mapping an epoch with ``epoch``, ``train_loss``, ``val_loss``, ``train_accuracy`` and
        ``val_accuracy``; empty where it is not known.
    weights, command
        What the weights are called, and what was run.
    """
    import jinja2  # 60 ms that only a report needs

    folder, names = Path(__file__).parent, checkpoint.classes
    scores = score(probabilities, shown.labels, names)
    record = scores.to_dict()
    script = (folder / "report.js").read_text("utf-8")
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("report.html")
    wrong = scores.confusion - np.diag(scores.confusion.diagonal())
    return template.render(
        title=f"{checkpoint.model.name} on {shown.name}: {scores.accuracy:.2%}",
        data=shown.name,
        scores=record,
        version=__version__,
        weights=weights,
        command=command,
        wrong=int(wrong.sum()),
        worst_count=max(int(wrong.max(initial=0)), 1),
        history=history,
        classes=_classes(record, scores),
        most_cells=MOST_CELLS,
        pairs=_pairs(wrong, scores.confusion.sum(axis=1), names),
        bins=_bins(scores),
        mistakes=_mistakes(shown, probabilities, names),
        examples=_examples(shown, names),
        layers=layers,
        card=list(card_lines(checkpoint.card)),
        style=(folder / "report.css").read_text("utf-8"),
        script=script,
        script_hash=script_hash(script),
    )


def _classes(record: Mapping[str, Any], scores: Scores) -> list[dict[str, Any]]:
    rows = []
    for row, right in zip(record["per_class"], scores.confusion.diagonal().tolist(), strict=True):
        known = row["support"] > 0
        interval = wilson_interval(right, row["support"]) if known else (None, None)
        rows.append({**row, "interval": interval})
    return rows


def _pairs(
    wrong: NDArray[np.int64], support: NDArray[np.int64], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the most frequent confusions, the most frequent first."""
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS].tolist()
    places = [divmod(place, len(names)) for place in order if wrong.flat[place]]
    return [
        {
            "true": names[true],
            "taken": names[taken],
            "count": int(wrong[true, taken]),
            "share": float(wrong[true, taken] / support[true]),
        }
        for true, taken in places
    ]


def _bins(scores: Scores) -> list[dict[str, float]]:
    found, count = scores.calibration, len(scores.calibration.counts)
    most = math.log1p(found.counts.max())
    return [
        {
            "start": k / count,
            "width": 1 / count,
            "count": int(found.counts[k]),
            "height": math.log1p(found.counts[k]) / most,
            "confidence": float(found.confidence[k]),
            "accuracy": float(found.accuracy[k]),
        }
        for k in range(count)
        if found.counts[k]
    ]


def _mistakes(
    shown: Labelled, probabilities: NDArray[np.float32], names: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {
            "picture": data_uri(shown.pixels[i]),
            "true": names[shown.labels[i]],
            "taken": names[probabilities[i].argmax()],
            "confidence": float(probabilities[i].max()),
        }
        for i in worst_mistakes(probabilities, shown.labels, MOST_MISTAKES)
    ]


def _examples(shown: Labelled, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"label": name, "pictures": [data_uri(shown.pixels[i]) for i in of_class[:EXAMPLES]]}
        for k, name in enumerate(names)
        if len(of_class := np.flatnonzero(shown.labels == k))
    ]
