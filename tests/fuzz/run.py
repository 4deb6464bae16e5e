"""Fuzz one target for a while: ``python -m tests.fuzz.run TARGET SECONDS [SEED]``.

Damaged copies of valid inputs are tried. With ``--guided`` and atheris installed (best in an
environment of its own) the search is guided by coverage instead. A found case is written to
``tests/fuzz/corpus/TARGET/``, where the tests pick it up.
"""

import hashlib
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def mutate_for(name: str, seconds: float, first_seed: int = 0) -> tuple[int, Counter[str]]:
    """Run a target on damaged copies of its seeds; keep one case of each kind of failure."""
    from tests.fuzz.targets import TARGETS, seeds
    from tests.reliability.hostile import damaged

    starts = list(seeds(name))
    end, tried, found = time.process_time() + seconds, 0, Counter[str]()
    latest = time.monotonic() + 4 * seconds  # on a busy machine
    while time.process_time() < end and time.monotonic() < latest:
        data = damaged(starts[tried % len(starts)], first_seed + tried)
        tried += 1
        try:
            TARGETS[name](data)
        except Exception as error:  # noqa: BLE001, RUF100 (what a fuzzer is for)
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
            if not found[kind]:
                keep(name, data)
            found[kind] += 1
    return tried, found


def keep(name: str, data: bytes) -> None:
    """Write a found case to the corpus."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def guided(name: str, seconds: int) -> None:
    """Run a target under atheris, guided by coverage; a found case lands in the corpus."""
    import atheris

    with atheris.instrument_imports(include=["cnncli", "PIL"]):
        from tests.fuzz.targets import TARGETS, seeds

    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
        for number, data in enumerate(seeds(name)):
            (Path(folder) / f"seed-{number}").write_bytes(data)
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        limits = [f"-max_total_time={seconds}", "-max_len=65536", "-timeout=30"]
        memory = ["-rss_limit_mb=4096", f"-artifact_prefix={CORPUS / name}/"]
        atheris.Setup([sys.argv[0], folder, *limits, *memory], TARGETS[name])
        atheris.Fuzz()


def main() -> None:
    """Fuzz as the command line says."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--guided"]
    name, seconds = arguments[0], float(arguments[1])
    warnings.simplefilter("ignore")
    if "--guided" in sys.argv:
        guided(name, int(seconds))
    tried, found = mutate_for(name, seconds, int(arguments[2]) if len(arguments) > 2 else 0)
    spent = time.process_time()
    sys.stdout.write(f"{name}: {tried} inputs in {spent:.0f} CPU s, found {dict(found) or None}\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
