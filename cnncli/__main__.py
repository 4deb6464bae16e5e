"""Run the command line: ``python -m cnncli``, and what the command ``cnncli`` starts."""

import gc
import signal

# Modules are no garbage: looking for some among them takes 5 % of a small picture's command.
gc.disable()
# Until main() knows better, Ctrl-C ends the process without Python's traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from cnncli.cli import main  # noqa: E402 (the imports are what takes the time)

if __name__ == "__main__":
    main()
