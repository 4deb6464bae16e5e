"""Curves of a training run as a picture."""

import io
from collections.abc import Mapping, Sequence
from typing import Any


def draw_curves(reports: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return a PNG of loss and accuracy by epoch, training and validation.

    Parameters
    ----------
    reports
        One mapping an epoch with ``epoch``, ``train_loss``, ``val_loss``, ``train_accuracy`` and
        ``val_accuracy``.
    title
        Shown above the curves.
    """
    # Without pyplot no window system is looked for and nothing stays behind: a bare figure
    # draws with Agg.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    epochs = [report["epoch"] for report in reports]
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, colour in (("train", "#8a8f98"), ("val", "#1f6feb")):
            name = "training (varied pictures)" if part == "train" else "validation"
            values = [report[f"{part}_{what}"] for report in reports]
            axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=name)
        axes.set(xlabel="epoch", ylabel=what)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return png_of(figure)


def png_of(figure: Any) -> bytes:
    """Return a figure of matplotlib as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
