"""A Ray cluster of two nodes on the loopback interface gives what one machine gives."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT, CliRunner
from tests.reliability.test_load import fill

HAS_RAY = find_spec("ray") is not None and find_spec("grpc") is not None
COUNT, BROKEN = 5000, 250
RAY_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
RAY_START += ["--node-ip-address=127.0.0.1", "--disable-usage-stats"]
OWN = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
ENVIRONMENT = {**os.environ, **OWN}


def free_port() -> int:
    """Return a port above those that Ray hands out to its workers."""
    for port in range(24_000, 30_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                probe.bind(("127.0.0.1", port))
                return port
    pytest.fail("no port is free")


def start(*options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*RAY_START, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def kill(node: "subprocess.Popen[bytes]") -> None:
    os.killpg(node.pid, signal.SIGKILL)
    node.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Start two nodes of a core each; return the address, and what kills the second one."""
    port = free_port()
    client = port + 1000
    head = start(
        "--head",
        f"--port={port}",
        f"--ray-client-server-port={client}",
        "--include-dashboard=false",
        f"--temp-dir=/tmp/cnncli-ray-{os.getpid()}",
    )
    wait_for(port)
    second = start(f"--address=127.0.0.1:{port}")
    wait_for(client)
    count = (
        "import ray, time\n"
        "for _ in range(6):\n"
        f"    try: ray.init('ray://127.0.0.1:{client}'); break\n"
        "    except ConnectionError: pass\n"
        "while ray.cluster_resources().get('CPU', 0) < 2: time.sleep(0.5)"
    )
    try:
        probe = [sys.executable, "-c", count]
        subprocess.run(probe, env=ENVIRONMENT, check=True, timeout=300, cwd=tmp_path)
        yield f"ray://127.0.0.1:{client}", lambda: kill(second)
    finally:
        for node in (second, head):
            if node.poll() is None:
                kill(node)


def wait_for(port: int) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nobody listens on port {port}")


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def lines(text: str) -> list[str]:
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        record.pop("seconds", None)
        record["output"] = Path(record["output"]).name if record["output"] else None
    return sorted(json.dumps(record) for record in records)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs cnncli[ray]")
@pytest.mark.skipif(sys.platform != "linux", reason="nodes are killed as Linux does")
def test_one_machine_three_shards_and_two_nodes_give_the_same(
    cluster: tuple[str, Callable[[], None]], cli: CliRunner, tmp_path: Path
) -> None:
    address, kill_second = cluster
    (tmp_path / "in").mkdir()
    fill(tmp_path / "in", COUNT, BROKEN)
    command = ["pool", "in", "--json", "-q"]
    local = cli(*command, "-o", "local/", fresh=True)
    assert local.returncode == 3
    said = ""
    for part in ("1/3", "2/3", "3/3"):
        run = cli(*command, "-o", "shards/", "--shard", part, fresh=True)
        assert run.returncode == 3
        said += run.stdout
    assert lines(said) == lines(local.stdout)
    assert results(tmp_path / "shards") == results(tmp_path / "local")
    on = ["--on", address]
    run = cli(*command, "-o", "cluster/", *on, env=OWN, fresh=True)
    assert run.returncode == 3, run.stderr[-2000:]
    assert lines(run.stdout) == lines(local.stdout)
    assert results(tmp_path / "cluster") == results(tmp_path / "local")

    with (tmp_path / "said").open("w") as said_there:
        process = subprocess.Popen(
            [sys.executable, "-m", "cnncli", *command, "-o", "killed/", *on],
            stdout=said_there,
            cwd=tmp_path,
            env=ENVIRONMENT,
        )
        while not (tmp_path / "killed").exists() or len(results(tmp_path / "killed")) < 500:
            assert process.poll() is None
            time.sleep(0.05)
        kill_second()
        assert process.wait(timeout=900) == 3
    assert lines((tmp_path / "said").read_text()) == lines(local.stdout)
    rests = {name for name in results(tmp_path / "killed") if name.endswith(".tmp")}
    assert {
        name: data for name, data in results(tmp_path / "killed").items() if name not in rests
    } == results(tmp_path / "local")


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("spark", 2, "'spark' is no cluster; give ray or ray://HOST:PORT"),
        ("ray", 1, "pip install 'cnncli[ray]'"),
    ],
)
def test_what_is_no_cluster_is_one_line(place: str, code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    hide = (
        "import sys; sys.modules['ray'] = None\n"
        f"from cnncli.cli import main; main(['pool', 'a.png', '-o', 'out/', '--on', '{place}'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", hide], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.returncode == code
    assert run.stderr.count("\n") == 1
    assert words in run.stderr
