"""From any picture to what a network was trained on; NumPy only."""

from cnncli.preprocess.prepare import Prepared, prepare, prepare_number, to_network_input

__all__ = ["Prepared", "prepare", "prepare_number", "to_network_input"]
