"""Predictions, whatever runs the network: NumPy or torch."""

from cnncli.inference.calibration import calibrate
from cnncli.inference.engine import Engine, load_engine, softmax, temperature_of

__all__ = ["Engine", "calibrate", "load_engine", "softmax", "temperature_of"]
