"""Pictures from files to arrays and back: the only room that knows Pillow.

The names are loaded when they are first asked for: so a picture can be opened and decoded by
:mod:`cnncli.images.opening` while NumPy is still being imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnncli.images.picture import Picture, to_uint8_grey, to_uint8_rgb
    from cnncli.images.reading import begin_picture, read_picture
    from cnncli.images.writing import write_picture

__all__ = [
    "Picture",
    "begin_picture",
    "read_picture",
    "to_uint8_grey",
    "to_uint8_rgb",
    "write_picture",
]

_HOMES = {
    "Picture": "picture",
    "begin_picture": "reading",
    "read_picture": "reading",
    "to_uint8_grey": "picture",
    "to_uint8_rgb": "picture",
    "write_picture": "writing",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
