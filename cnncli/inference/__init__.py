"""Predictions, whatever runs the network: NumPy or torch."""
