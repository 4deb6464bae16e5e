"""Scripts inside a page: what its Content-Security-Policy lets run."""

import base64
import hashlib
import json
from typing import Any


def script_hash(script: str) -> str:
    """Return what allows exactly this inline script, and no other (CSP level 2).

    >>> script_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def script_json(value: Any) -> str:
    r"""Return JSON that can stand in a ``<script>`` element: no text in it can end the element.

    >>> script_json(["</script>"])
    '["\\u003c/script>"]'
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
