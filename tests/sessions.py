"""Whether a command that was started in a session of its own has left anybody behind."""

import os
import time


def check_nobody_is_left(session: int, patience: float = 0.0) -> None:
    """Fail if after some seconds there are processes in a session still."""
    deadline = time.monotonic() + patience
    while True:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < deadline, f"processes are left in session {session}"
        time.sleep(0.01)
