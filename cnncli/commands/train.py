"""``cnncli train``: from a data set to a checkpoint, with everything shown on the way."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cnncli.commands._options import Device, Json, Quiet
from cnncli.config import RECIPES, ExtraName, Fit, OptimizerName, PrecisionName, RecipeName
from cnncli.errors import UsageError
from cnncli.nn.networks import NETWORKS, TORCHVISION  # noqa: TID253 (names alone, no torch)

_FAST = RECIPES["fast"]
_MODELS = "auto: what suits the data; " + "; ".join(
    f"{name}: {entry.purpose}" for name, entry in NETWORKS.items()
)
_MODELS += f"; or {TORCHVISION.purpose}, such as resnet18 or convnext_tiny."


def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="NAME|DIR",
            help="mnist, fashion-mnist, kmnist, emnist-digits, cifar10, digits, a folder with a "
            "sub-folder per class, or a folder of IDX files. Default: mnist, else digits.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help=_MODELS)] = "auto",
    extra: Annotated[
        ExtraName | None,
        typer.Option(
            help="drawn: add digits that MNIST lacks, drawn by pens, fonts and displays, and signs "
            "that are none, to the ones to train on. Default: none."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Start from these weights of the same network instead of random ones.",
        ),
    ] = None,
    blend: Annotated[
        float,
        typer.Option(
            min=0, max=0.99, help="Share of --start's weights that is mixed in at the end."
        ),
    ] = 0.0,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained",
            help="Start one of torchvision's networks from ImageNet's weights: a download.",
        ),
    ] = False,
    fit: Annotated[
        Fit | None,
        typer.Option(
            help="head: train the last layer of a pretrained network alone, in seconds; "
            "all: tune all layers for --epochs. Default: head for photos, else all."
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = _FAST.epochs,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures a step. Default: the recipe's.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(min=1e-9, help="Highest learning rate. Default: the recipe's.")
    ] = None,
    optimizer: Annotated[
        OptimizerName | None,
        typer.Option(
            help="muon: for kernels of convolutions, beside adamw for the rest; muon-turn: so for "
            "large batches and networks that normalise. Default: the recipe's; of fast, muon for "
            "simple, muon-turn for deep and adamw for others."
        ),
    ] = None,
    recipe: Annotated[
        RecipeName, typer.Option(help="fast: all that helps; plain: the lesson's loop.")
    ] = _FAST.recipe,
    val_split: Annotated[
        float, typer.Option(min=0.001, max=0.9, help="Share of each class to choose the epoch by.")
    ] = _FAST.val_split,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without gain; 0 never stops.")
    ] = _FAST.patience,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop training after this time.")
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Vary the pictures. Default: the recipe's."),
    ] = None,
    balance: Annotated[
        bool | None,
        typer.Option(
            "--balance/--no-balance", help="Let rare classes count more. Default: the recipe's."
        ),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=8, help="Height and width for a folder of pictures.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a folder with a broken picture.")
    ] = False,
    device: Device = "auto",
    precision: Annotated[
        PrecisionName | None,
        typer.Option(help="bf16 is faster where the processor has it. Default: the recipe's."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Same seed, same result.")
    ] = _FAST.seed,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run of --out.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Checkpoint to write.")] = Path(
        "weights/last.safetensors"
    ),
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write TensorBoard logs there, too.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write how good it became as one page.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="One batch through everything; writes nothing.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=2, help="Use only so many of the training pictures.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network and keep its best epoch.

    Example: cnncli train --epochs 10

    Example: cnncli train --data my-pictures --epochs 30 --out weights/mine.safetensors

    Example: cnncli train --data holiday-pictures

    Example: cnncli train --data photos --model resnet18 --pretrained --image-size 64

    Example: cnncli train --recipe plain --seed 1

    Example: cnncli train --data mnist --extra drawn
    """
    # A thread that spins while it waits makes a busy machine crawl; torch reads this on import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cnncli.commands._training import DataChoice, Job, Request, train_here

    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "optimizer": optimizer,
        "val_split": val_split,
        "patience": patience,
        "augment": augment,
        "balance": balance,
        "precision": precision,
        "seed": seed,
    }
    given = frozenset(
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    )
    begin = str(start) if start else None
    opened = DataChoice(data, limit, image_size, strict, pretrained, extra, begin)
    request = Request(model, recipe, opened, options, given, fit)
    if report and dry_run:
        raise UsageError("--report is about weights and --dry-run keeps none; leave out one")
    if blend and not start:
        raise UsageError("--blend mixes in the weights of --start; name those, or leave it out")
    job = Job(
        out, device, json, quiet or json, dry_run, resume, max_minutes, tensorboard, report, blend
    )
    train_here(request, job)
