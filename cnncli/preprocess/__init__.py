"""From any picture to what a network was trained on."""

from cnncli.preprocess.number import Number, Pieces
from cnncli.preprocess.prepare import (
    pixels_needed,
    prepare,
    prepare_all,
    prepare_number,
    to_network_input,
)
from cnncli.preprocess.prepared import Box, Prepared

__all__ = [
    "Box",
    "Number",
    "Pieces",
    "Prepared",
    "pixels_needed",
    "prepare",
    "prepare_all",
    "prepare_number",
    "to_network_input",
]
