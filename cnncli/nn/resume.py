"""The state of an unfinished run in a file, from which it goes on to the same bits.

Order, augmentation and learning rate are functions of seed, epoch and step, so there is no
random state to save: networks, optimizer, sums of the current epoch and counters are all.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cnncli.config import ModelConfig, TrainConfig
from cnncli.errors import CheckpointError
from cnncli.files import write_whole
from cnncli.nn.training import EpochReport, TrainingRun

FORMAT_VERSION = 2


def write_state(path: Path, run: TrainingRun, request: Mapping[str, Any]) -> None:
    """Write everything that the run needs to go on, whole or not at all.

    Parameters
    ----------
    path
        File to write; its folder must exist.
    run
        Between two steps.
    request
        What the data set was opened with (JSON types); handed back by :func:`read_state`.
    """
    from safetensors.torch import save

    tensors = {f"network.{k}": v for k, v in run.network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in run.best.items()}
    if run.ema is not run.network:
        tensors |= {f"averaged.{k}": v for k, v in run.ema.state_dict().items()}
    for index, values in enumerate(run.optimizer.state):
        tensors |= {f"optimizer.{index}.{k}": v for k, v in values.items()}
    tensors["totals"] = run.totals
    record = {
        "format": FORMAT_VERSION,
        "request": dict(request),
        "model": run.model.to_dict(),
        "config": run.config.to_dict(),
        "data": run.fingerprint,
        "epoch": run.epoch,
        "position": run.position,
        "steps": run.steps,
        "best_epoch": run.best_epoch,
        "reports": [report.to_dict() for report in run.reports],
    }
    # A copy in plain order: safetensors knows neither channels-last nor shared memory.
    plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    data = save(plain, metadata={"cnncli-resume": json.dumps(record)})
    write_whole(path, data)


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the record and the tensors of a state that :func:`write_state` wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CheckpointError
        If it is not such a file.
    """
    from safetensors import SafetensorError, safe_open

    advice = "remove it, or train without --resume"
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {})["cnncli-resume"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if record["format"] != FORMAT_VERSION:
            raise CheckpointError(f"{path} was written by another version of cnncli; {advice}")
        record["model"] = ModelConfig.from_dict(record["model"])
        record["config"] = TrainConfig.from_dict(record["config"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} holds no state to resume from; {advice}") from error
    return record, tensors


def restore(run: TrainingRun, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Bring a fresh run to the point where the state was written.

    Parameters
    ----------
    run
        Made from the same architecture, recipe and data.
    record, tensors
        As :func:`read_state` returns them.

    Raises
    ------
    CheckpointError
        If the data set has changed, or a tensor is missing.
    """
    if record["data"] != run.fingerprint:
        raise CheckpointError(
            "the pictures are not the ones that the interrupted run had; "
            "bring them back, or train without --resume"
        )
    found = {name: tensor.to(run.device) for name, tensor in tensors.items()}
    each = (_under(f"optimizer.{i}.", found) for i in range(len(run.optimizer.parameters)))
    try:
        run.network.load_state_dict(_under("network.", found))
        if run.ema is not run.network:
            run.ema.load_state_dict(_under("averaged.", found))
        run.optimizer.load({i: state for i, state in enumerate(each) if state})
        run.totals.copy_(found["totals"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            "the state to resume from is incomplete; train without --resume"
        ) from error
    run.best = _under("best.", found)
    run.best_epoch = record["best_epoch"]
    run.epoch, run.position, run.steps = record["epoch"], record["position"], record["steps"]
    run.reports = [EpochReport(**report) for report in record["reports"]]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
