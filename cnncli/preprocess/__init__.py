"""From any picture to what a network was trained on."""

from cnncli.preprocess.number import Number, Pieces
from cnncli.preprocess.prepare import prepare, prepare_all, prepare_number, to_network_input
from cnncli.preprocess.prepared import Box, Prepared

__all__ = [
    "Box",
    "Number",
    "Pieces",
    "Prepared",
    "prepare",
    "prepare_all",
    "prepare_number",
    "to_network_input",
]
