"""Where the shipped weights and sample pictures are, installed or in a source checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _find(folder: str, name: str) -> Path:
    installed = _PACKAGE / folder / name
    return installed if installed.exists() else _PACKAGE.parent / folder / name


def shipped_weights() -> Path:
    """Return the path of the weights that come with the package."""
    return _find("weights", "simplecnn-mnist.safetensors")


def sample_image(name: str) -> Path:
    """Return the path of a picture of ``sample_images/``."""
    return _find("sample_images", name)
