"""Which weights a command uses, and how they are read."""

from pathlib import Path

from cnncli.checkpoint import Checkpoint, is_torch_file, read_checkpoint
from cnncli.inference.onnx_model import OnnxModel, read_onnx
from cnncli.resources import shipped_weights

LAST_WEIGHTS = Path("weights", "last.safetensors")  # what `cnncli train` writes here


def find_weights(asked: Path | None) -> tuple[Path, str]:
    """Return the weights file of a command and why it is this one.

    Parameters
    ----------
    asked
        ``--weights`` or ``CNNCLI_WEIGHTS``, if given.

    Returns
    -------
    path, reason
        What was asked for, else ``weights/last.safetensors`` of the current folder, else the
        shipped weights.
    """
    if asked is not None:
        return asked, "as asked"
    if LAST_WEIGHTS.exists():
        return LAST_WEIGHTS, "your last training here"
    return shipped_weights(), "shipped with cnncli"


def open_weights(asked: Path | None) -> tuple[Checkpoint, Path, str]:
    """Return the checkpoint of a command, its path and why it is this one.

    A plain ``.pt`` state dict is read through torch; a safetensors file is not.

    Raises
    ------
    CheckpointError
        If the file is missing or is no checkpoint of a network known here.
    """
    path, reason = find_weights(asked)
    if is_torch_file(path):
        from cnncli.nn.state_dict import read_state_dict

        return read_state_dict(path), path, reason
    return read_checkpoint(path), path, reason


def open_network(asked: Path | None) -> tuple[Checkpoint | OnnxModel, Path, str]:
    """Return what :func:`open_weights` does, or a network that ``cnncli export`` wrote."""
    path, reason = find_weights(asked)
    return (read_onnx(path), path, reason) if path.suffix == ".onnx" else open_weights(asked)


def weights_name(path: Path) -> str:
    """Return how a weights file is called in a line: the shipped one without its folder."""
    return path.name if path == shipped_weights() else str(path)
