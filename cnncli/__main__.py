"""Run the command line: ``python -m cnncli``, and what the command ``cnncli`` starts."""

import gc
import signal

# Until main() knows better, Ctrl-C ends the process without Python's traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# What is imported stays: looking for garbage in it takes 6 % of filtering a small picture.
gc.disable()

from cnncli.cli import main  # noqa: E402 (the imports are what takes the time)

if __name__ == "__main__":
    main()
