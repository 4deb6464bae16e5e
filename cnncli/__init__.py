"""Filter pictures with convolutions, train a small CNN and read digits, from the command line."""

from importlib.metadata import version

__version__ = version("cnncli")
