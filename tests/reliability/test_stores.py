"""Pictures behind URLs: right results or one clear line, never a part of an object."""

import http.server
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest

from cnncli.resources import sample_image
from tests.cli.conftest import RunHere
from tests.cli.conftest import run_here as run_here  # noqa: PLC0414 (a fixture)
from tests.conftest import CliRunner

DIGIT = sample_image("digit-1-28x28.png").read_bytes()
HAS_S3 = find_spec("s3fs") is not None and find_spec("moto") is not None
needs_s3 = pytest.mark.skipif(not HAS_S3, reason="needs cnncli[cloud] and moto[server]")


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """Return a store in memory with two pictures, a broken one, and one a folder deeper."""
    files = fsspec.filesystem("memory")
    for name in ("a", "b", "sub/c"):
        files.pipe_file(f"/in/{name}.png", DIGIT)
    files.pipe_file("/in/notes.txt", b"none")
    files.pipe_file("/in/broken.png", b"no picture")
    yield files
    files.rm("/", recursive=True)


def test_folders_patterns_and_objects_are_inputs_and_outputs(
    store: fsspec.AbstractFileSystem, run_here: RunHere, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("pool", "memory://in", "-o", "memory://out/") == 3
    assert store.find("/out") == ["/out/a_max_pool.png", "/out/b_max_pool.png"]
    assert run_here("pool", "memory://in/", "--recursive", "-o", "memory://deep/", "-q") == 3
    assert len(store.find("/deep")) == 3
    capsys.readouterr()
    assert run_here("predict", "memory://in/a.png", "memory://in/b*", "--json") == 3
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["label"] for record in records] == ["1", "1", None]
    assert run_here("pool", "memory://in/a.png") == 0
    assert store.exists("/in/a_max_pool.png")


def test_a_store_is_gone_on_with(
    store: fsspec.AbstractFileSystem, run_here: RunHere, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["pool", "memory://in/*.png", "-o", "memory://out/", "--resume", "--json"]
    assert run_here(*command) == 3
    store.rm("/out/b_max_pool.png")
    capsys.readouterr()
    assert run_here(*command) == 3
    paths = [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()]
    assert [path.rpartition("/")[2] for path in paths] == ["b.png", "broken.png"]
    assert run_here(*command, "--size", "3") == 2


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["memory://in/none.png"], "memory://in/none.png: no such object, bucket or folder"),
        (["memory://none/"], "memory://none/: no such object"),
        (["memory://in/*.jpg"], "memory://in/*.jpg holds no pictures"),
        (["nonsense://in/a.png"], "nonsense://in/a.png: Protocol not known"),
        (["memory://in/a.png", "-o", "memory://in/a.png"], "is an input; name another output"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], words: str, run_here: RunHere, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("pool", *arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert words in lines[0]


def test_without_the_extra_a_line_says_how_to_get_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from cnncli.cli import main; main(['pool', 's3://bucket/a.png'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.returncode == 1
    assert run.stderr.endswith("pip install 'cnncli[cloud]'\n")


def test_nothing_of_it_is_loaded_for_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(DIGIT)
    code = (
        "import sys; from cnncli.cli import main\n"
        "try: main(['pool', 'a.png', '-q'])\n"
        "finally: print({'fsspec', 's3fs', 'ray'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert run.stdout.splitlines()[-1] == "set()"


class Proxy(socketserver.ThreadingTCPServer):
    """Hands bytes on to a server, and cuts the first answers of more than 1,000 bytes."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, port: int, cuts: int) -> None:
        self.port, self.cuts = port, cuts
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Proxy)
        with socket.create_connection(("127.0.0.1", server.port)) as real:
            threading.Thread(target=self._back, args=(server, real), daemon=True).start()
            while data := self.request.recv(65536):
                real.sendall(data)

    def _back(self, server: Proxy, real: socket.socket) -> None:
        try:
            while data := real.recv(1 << 20):
                if server.cuts and b"image" not in data[:12] and len(data) > 1000:
                    server.cuts -= 1
                    self.request.sendall(data[:900])
                    self.request.shutdown(socket.SHUT_RDWR)
                    return
                self.request.sendall(data)
        except OSError:
            return


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def s3_server(**environment: str) -> Iterator[int]:
    """Start an S3 server and give its port."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    """Return the port of an S3 server with a bucket of 20 pictures."""
    with s3_server() as port:
        files = fsspec.filesystem(
            "s3", key="k", secret="s", endpoint_url=f"http://127.0.0.1:{port}"
        )
        files.mkdir("bucket")
        for number in range(20):
            files.pipe_file(f"bucket/in/{number}.png", DIGIT + bytes(3000))
        yield port


def environment(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@needs_s3
@pytest.mark.slow
def test_a_real_s3_server(s3: int, cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / "in" / f"{number}.png").write_bytes(DIGIT)
    assert cli("convolve", "in", "-f", "sobel", "-o", "out/", "-q").returncode == 0
    env = environment(s3)
    run = cli("convolve", "s3://bucket/in/", "-f", "sobel", "-o", "s3://bucket/out/", env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("\n") == 20
    run = cli("convolve", "s3://bucket/in/*.png", "-f", "sobel", "-o", "down/", env=env)
    assert run.returncode == 0, run.stderr
    for path in (tmp_path / "out").iterdir():
        assert (tmp_path / "down" / path.name).read_bytes() == path.read_bytes()
    run = cli("predict", "s3://bucket/in/", "--json", env=env)
    assert [json.loads(line)["label"] for line in run.stdout.splitlines()] == ["1"] * 20
    run = cli("pool", "s3://nobucket/a.png", env=env)
    assert run.returncode == 1
    assert run.stderr == (
        "error: s3://nobucket/a.png: no such object, bucket or folder; check the name\n"
    )
    run = cli("pool", "s3://bucket/in/99.png", env=env)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    none = {**env, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)}
    run = cli("pool", "s3://bucket/in/1.png", env={**none, "AWS_EC2_METADATA_DISABLED": "true"})
    assert (run.returncode, "there are no credentials" in run.stderr) == (1, True), run.stderr


@needs_s3
@pytest.mark.slow
def test_credentials_that_the_server_rejects(cli: CliRunner) -> None:
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="0") as port:  # it knows nobody
        for arguments in (
            ["s3://bucket/in/1.png"],
            ["s3://bucket/in/"],
            [sample_image("digit-1-28x28.png"), "-o", "s3://bucket/a.png"],
        ):
            run = cli("pool", *arguments, env=environment(port))
            assert (run.returncode, run.stderr.count("\n")) == (1, 1), run.stderr
            assert "access denied" in run.stderr
            assert run.stderr.endswith("check the credentials\n")


@needs_s3
@pytest.mark.slow
def test_a_connection_that_is_cut_within_an_object(s3: int, cli: CliRunner) -> None:
    names = [f"s3://bucket/in/{number}.png" for number in range(5)]
    for cuts in (3, 10_000):
        with Proxy(s3, cuts) as proxy:
            env = environment(proxy.server_address[1])
            run = cli("predict", *names, "--json", env=env)
            proxy.shutdown()
        records = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(records) == 5
        assert {record["label"] for record in records} == ({"1"} if cuts == 3 else {None})
        assert run.returncode == (0 if cuts == 3 else 1), run.stderr


class _Half(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(DIGIT)))
        self.end_headers()
        self.wfile.write(DIGIT[: len(DIGIT) // 2 if self.path.startswith("/half") else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(find_spec("aiohttp") is None, reason="needs cnncli[cloud]")
def test_half_an_answer_is_no_picture(cli: CliRunner) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Half) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        env = {key: "" for key in os.environ if key.lower().endswith("_proxy")}
        run = cli("predict", f"{base}/a.png", f"{base}/half.png", "--json", env=env)
        server.shutdown()
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert [record["label"] for record in records] == ["1", None], run.stderr
    assert run.returncode == 3
    assert "check the connection" in run.stderr
