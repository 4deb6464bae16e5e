"""From any picture to what a network was trained on; NumPy only."""

from cnncli.preprocess.prepare import Box, Prepared, prepare, prepare_number, to_network_input

__all__ = ["Box", "Prepared", "prepare", "prepare_number", "to_network_input"]
