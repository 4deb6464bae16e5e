"""From any picture to what a network was trained on."""

from cnncli.preprocess.number import Number
from cnncli.preprocess.prepare import prepare, prepare_all, prepare_number, to_network_input
from cnncli.preprocess.prepared import Box, Prepared

__all__ = [
    "Box",
    "Number",
    "Prepared",
    "prepare",
    "prepare_all",
    "prepare_number",
    "to_network_input",
]
