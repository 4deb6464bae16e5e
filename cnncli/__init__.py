"""Filter pictures with convolutions, train a small CNN and read digits, from the command line."""


def __getattr__(name: str) -> str:
    """Look up ``__version__`` when it is asked for: reading metadata takes 30 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("cnncli")
