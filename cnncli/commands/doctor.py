"""``cnncli doctor`` and the lines of ``--version``: what is installed, and whether it fits."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from cnncli.config import data_folder
from cnncli.resources import shipped_weights
from cnncli.show.console import result, stdout_console

_PACKAGES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "typer", "rich")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def version_lines() -> list[str]:
    """Return the lines of ``cnncli --version``; reads metadata only, imports no torch."""
    device = os.environ.get("CNNCLI_DEVICE", "auto")
    return [
        f"cnncli {version('cnncli')}",
        f"python {platform.python_version()} ({platform.system()} {platform.machine()})",
        *(f"{package} {_installed(package)}" for package in _PACKAGES),
        f"device {device}",
        f"data {data_folder()}",
    ]


def doctor() -> None:
    """Check the installation: versions, torch and torchvision, devices, data and weights.

    Example: cnncli doctor
    """
    for line in version_lines():
        result(line)
    result(f"weights {shipped_weights()}{'' if shipped_weights().exists() else ' (missing)'}")
    result(f"terminal pictures: {_pictures_state()}")
    result(f"torch works: {_torch_state()}")
    result(f"torchvision works: {_torchvision_state()}")


def _pictures_state() -> str:
    # Rich draws there; --version, which is written here too, does without.
    from cnncli.show.graphics import terminal_graphics
    from cnncli.show.picture import draws_colours

    console = stdout_console()
    package = f"textual-image {_installed('textual-image')}"
    if not draws_colours(console) or console.options.ascii_only:
        return f"ASCII shades; {package}"
    answer = terminal_graphics(console)
    if answer is None:
        return f"half blocks; {package}; pip install 'cnncli[graphics]' for Kitty and Sixel"
    width, height = answer.cell
    return f"{answer.protocol}, {width}x{height} pixels a character; {package}"


def _torch_state() -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"no: {error}; install it with: pip install torch torchvision"
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [
            f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return f"yes; devices: {', '.join(devices)}; {torch.get_num_threads()} threads"


def _torchvision_state() -> str:
    try:
        import torchvision  # noqa: F401 (whether it imports is the question)
    except (ImportError, OSError, RuntimeError) as error:
        return (
            f"no: {error}; torch and torchvision must be a pair: "
            "pip install --upgrade torch torchvision"
        )
    return "yes"
