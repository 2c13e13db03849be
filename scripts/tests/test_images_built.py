"""The images are built by the real Dockerfile and run as the guides say, on an engine without any registry.

The base is this machine's own Python with busybox, in place of `python:X.Y-slim`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.processes import free_port
from scripts.images import context
from scripts.images.__main__ import main
from scripts.images.names import EXTRAS
from scripts.workspace import ROOT, find, packages

pytestmark = [
    pytest.mark.xdist_group("docker"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="the base is made of this machine's Python, for Linux"),
]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WORKERS = {
    "prefect-aws": ["ecs"],
    "prefect-azure": ["azure-container-app-job", "azure-container-instance"],
    "prefect-gcp": ["cloud-run", "cloud-run-v2", "vertex-ai"],
    "prefect-kubernetes": ["kubernetes"],
}
GLIBC = [
    *("libanl.so.1", "libdl.so.2", "libm.so.6", "libnss_dns.so.2", "libnss_files.so.2", "libpthread.so.0"),
    *("libresolv.so.2", "librt.so.1", "libutil.so.1"),
]
NOBODY = "http://127.0.0.1:9/api"  # the port of `discard`, where nothing listens
HANG = """
import os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    if process.name != "1" and b"\\0worker\\0start\\0" in (process / "cmdline").read_bytes():
        os.kill(int(process.name), signal.SIGSTOP)
"""
SECRET = "canary-6f1c2a"
MEMBERS = packages()


def base_files() -> list[Any]:
    from prefect_integration_tests.backends.docker_images import ImageFile, python_files

    files = python_files([])
    # What wheels may count on: https://peps.python.org/pep-0600/
    names = [*GLIBC, "libstdc++.so.6", "libgcc_s.so.1"]
    shared = [path for name in names for path in Path("/usr/lib").glob(f"*-linux-gnu/{name}")]
    present = {file.path for file in files}
    more = [ImageFile(str(path).lstrip("/").removeprefix("usr/"), path) for path in shared]
    return [*files, *(file for file in more if file.path not in present)]


@pytest.fixture(scope="module")
def base(docker_engine: Any) -> Iterator[str]:
    """An image with Python and busybox, as bare as the official one: no bytecode, no packages."""
    from prefect_integration_tests.backends.docker_images import pack

    tag = f"base-{uuid.uuid4().hex[:8]}:dev"
    environment = "ENV PATH=/usr/local/bin:/bin LD_LIBRARY_PATH=/usr/local/lib"
    docker_engine.import_image(tag, pack(base_files(), ("tmp",)), [environment])
    yield tag
    docker_engine.client().images.remove(tag, force=True)


@dataclass
class Built:
    """An image, and what the command that made it has printed."""

    package: str
    image: Any
    tags: list[str]

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")


@pytest.fixture(scope="module", params=list(EXTRAS))
def built(
    request: pytest.FixtureRequest, docker_engine: Any, base: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    """Each image, with all its tags, built by the command that releases use."""
    folder = tmp_path_factory.mktemp("docker-config")
    # An index with a password, which the host may ask and the image must not know of.
    wheels = folder / f"wheels-{SECRET}"
    wheels.mkdir()
    environment = {
        **os.environ,
        "DOCKER_HOST": docker_engine.socket_url,
        "DOCKER_CONFIG": str(folder),
        "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {wheels}",
        "PREFECT_API_KEY": SECRET,
    }
    name = f"built-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-m", "scripts.images", "build", request.param, "--python", PYTHON, "--latest"]
    command += ["--base", base, "--system-packages", "", "--namespace", name]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    tags = [line for line in done.stdout.splitlines() if line.startswith(f"{name}/")]
    client = docker_engine.client()
    # An engine that was started for tests has little room.
    client.images.prune(filters={"dangling": True, "label": "io.prefect.stage=builder"})
    image = client.images.get(tags[0])
    print(f"{request.param}: {image.attrs['Size'] / 1e6:.0f} MB, built in {time.monotonic() - begun:.0f} s")
    yield Built(request.param, image, tags)
    client.images.remove(image.id, force=True)


@pytest.fixture
def start(docker_engine: Any, built: Built) -> Iterator[Callable[..., Any]]:
    """A maker of containers of the image, which share this machine's network; it takes a command and options."""
    client = docker_engine.client()
    made: list[Any] = []

    def make(command: Sequence[str] | None = None, **options: Any) -> Any:
        options.setdefault("network_mode", "host")
        made.append(client.containers.run(built.image.id, command, detach=True, **options))
        return made[-1]

    yield make
    for container in made:
        container.remove(force=True, v=True)


@pytest.fixture
def output(start: Callable[..., Any]) -> Callable[..., str]:
    """Run a command in a container of its own, and return what it prints. It must succeed."""

    def run(command: Sequence[str] | None = None, **options: Any) -> str:
        container = start(command, **options)
        code = container.wait()["StatusCode"]
        text = container.logs().decode()
        assert code == 0, text
        return text

    return run


def shell(worker: str) -> list[str]:
    """Start a worker as task definitions do."""
    return ["/bin/sh", "-c", worker]


def healthy(container: Any) -> None:
    def look() -> bool | None:
        container.reload()
        if container.status != "running":
            pytest.fail(container.logs().decode())
        return container.attrs["State"]["Health"]["Status"] == "healthy" or None

    poll(look, subject="the worker's health", interval_seconds=0.2, timeout_seconds=120)


def made(client: SyncPrefectClient, pool: str) -> Any:
    """Wait for the work pool that a worker makes: it is healthy before."""

    def look() -> Any:
        try:
            return client.read_work_pool(pool)
        except ObjectNotFound:
            return None

    return poll(look, subject="the worker's pool", interval_seconds=0.2, timeout_seconds=60)


def started(container: Any) -> None:
    def look() -> bool | None:
        if not container.client.containers.list(filters={"id": container.id}):
            pytest.fail(container.logs().decode())
        return "Worker 'here' started!" in container.logs().decode() or None

    poll(look, subject="the worker's start", interval_seconds=0.2, timeout_seconds=120)


def stopped(container: Any) -> tuple[int, float]:
    """Stop a container as engines do; its exit code, and the seconds that it took."""
    begun = time.monotonic()
    container.stop(timeout=30)
    return container.wait()["StatusCode"], time.monotonic() - begun


def test_it_has_the_tags_and_the_labels_of_its_release(built: Built, base: str) -> None:
    package = find(built.package, MEMBERS)
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in built.image.labels.items()}

    assert sorted(built.image.tags) == sorted(built.tags)
    assert f"{package.version}-python{PYTHON}-prefect{version('prefect')}" in built.tags[0]
    assert labels["title"] == built.package
    assert labels["version"] == package.version
    assert labels["licenses"] == "Apache-2.0"
    assert labels["source"] == "https://github.com/PrefectHQ/prefect"
    assert labels["base.name"] == base
    assert labels["io.prefect.version"] == version("prefect")
    assert len(labels["revision"].removesuffix("-dirty")) == 40
    assert labels["created"].startswith("20")


def test_no_secret_and_no_path_of_the_build_is_in_it(built: Built, start: Callable[..., Any]) -> None:
    known = json.dumps([built.image.history(), built.image.attrs])
    assert SECRET not in known
    assert str(ROOT) not in known
    # The last bytes of each piece are kept, so that nothing hides between two.
    wanted = [SECRET.encode(), str(ROOT / "build").encode(), str(context.FOLDER).encode()]
    rest = b""
    for piece in start(["true"]).export(chunk_size=1 << 22):
        text = rest + piece
        assert [word for word in wanted if word in text] == []
        rest = text[-200:]


def test_by_itself_it_says_its_versions(built: Built, output: Callable[..., str]) -> None:
    text = output()

    assert version("prefect") in text
    assert f"{PYTHON}." in text


def test_it_runs_as_a_user_who_can_change_none_of_the_code(built: Built, output: Callable[..., str]) -> None:
    text = output(
        shell(
            "id -u; id -g; id -un; echo $HOME; pwd; touch /opt/prefect/x /home/prefect/x; stat -c %u /opt/prefect/x;"
            "find /opt/venv /usr/local ! -type l '(' -user 1000 -o -group 1000 -o -perm -002 ')'; umask"
        )
    )

    assert text.split() == ["1000", "1000", "prefect", "/home/prefect", "/opt/prefect", "1000", "0022"]


def test_any_user_in_the_group_of_root_can_run_it(built: Built, output: Callable[..., str]) -> None:
    """OpenShift gives each container a user that no file knows."""
    text = output(shell("prefect config set PREFECT_LOGGING_LEVEL=DEBUG && touch /opt/prefect/x"), user="12345:0")

    assert "Set 'PREFECT_LOGGING_LEVEL'" in text


def test_everything_is_compiled(built: Built, output: Callable[..., str]) -> None:
    program = (
        f"import asyncio, prefect.workers.base, {built.module}, os, sys\n"
        "print([m.__file__ for m in list(sys.modules.values()) if (c := getattr(m, '__cached__', None))\n"
        "  and not os.path.exists(c)], sys.flags.dont_write_bytecode)"
    )

    assert output(["python", "-c", program]).split() == ["[]", "1"]


def test_it_has_the_workers_of_its_package(built: Built, output: Callable[..., str]) -> None:
    program = (
        "from prefect.workers.base import BaseWorker; from prefect.plugins import load_prefect_collections\n"
        "load_prefect_collections(); print(*sorted(BaseWorker.get_all_available_worker_types()))"
    )

    types = set(output(["python", "-c", program]).split())
    assert set(WORKERS[built.package]) <= types
    assert types - set(WORKERS[built.package]) <= {"docker", "process"}  # prefect-azure needs prefect-docker


def test_its_blocks_are_registered(built: Built, output: Callable[..., str], reachable_prefect_server: Any) -> None:
    environment = {"PREFECT_API_URL": reachable_prefect_server.api_url}

    text = output(["prefect", "block", "register", "-m", built.module], environment=environment)
    assert "Successfully registered" in text


def test_a_flow_in_a_mounted_folder_runs(
    built: Built, output: Callable[..., str], reachable_prefect_server: Any, tmp_path: Path
) -> None:
    (tmp_path / "invoice.py").write_text(
        "from prefect import flow\n@flow\ndef archive():\n    print('archived')\narchive()\n"
    )
    tmp_path.chmod(0o755)
    environment = {"PREFECT_API_URL": reachable_prefect_server.api_url}
    volumes = {str(tmp_path): {"bind": "/opt/prefect", "mode": "ro"}}

    assert "archived" in output(["python", "invoice.py"], environment=environment, volumes=volumes)


def test_each_of_its_workers_becomes_healthy_and_ends_when_it_is_told_to(
    built: Built, start: Callable[..., Any], reachable_prefect_server: Any
) -> None:
    for kind in WORKERS[built.package]:
        pool, port = f"{kind}-{uuid.uuid4().hex[:8]}", free_port()
        container = start(
            shell(f"prefect worker start --pool {pool} --type {kind} --name here --with-healthcheck"),
            environment={
                "PREFECT_API_URL": reachable_prefect_server.api_url,
                "PREFECT_WORKER_WEBSERVER_PORT": str(port),
                "AWS_DEFAULT_REGION": "eu-central-1",
            },
            healthcheck={"interval": 1_000_000_000},
        )
        healthy(container)
        with SyncPrefectClient(reachable_prefect_server.api_url) as client:
            assert made(client, pool).type == kind
        check = container.exec_run(["python", "-IS", "/usr/local/lib/worker_health.py"])
        assert (check.exit_code, check.output.strip()) == (0, b'{"message":"OK"}')
        code, seconds = stopped(container)
        text = container.logs().decode()
        assert code in {0, 143}, text
        assert seconds < 15, text
        assert "Worker 'here' stopped!" in text
        print(f"{kind}: exit code {code} after {seconds:.1f} s")


def test_a_worker_that_hangs_is_unhealthy(
    built: Built, start: Callable[..., Any], reachable_prefect_server: Any
) -> None:
    kind = WORKERS[built.package][0]
    container = start(
        ["prefect", "worker", "start", "-p", f"hung-{uuid.uuid4().hex[:8]}", "-t", kind, "--with-healthcheck"],
        environment={
            "PREFECT_API_URL": reachable_prefect_server.api_url,
            "PREFECT_WORKER_WEBSERVER_PORT": str(free_port()),
            "AWS_DEFAULT_REGION": "eu-central-1",
        },
        healthcheck={"interval": 1_000_000_000},
    )
    healthy(container)

    assert container.exec_run(["python", "-c", HANG]).exit_code == 0
    check = container.exec_run(["python", "-IS", "/usr/local/lib/worker_health.py"])
    assert check.exit_code == 1
    assert b"no answer at 127.0.0.1" in check.output


@pytest.mark.parametrize("moment", ["while it starts", "when it has started"])
def test_a_worker_that_cannot_reach_its_api_heeds_the_end(built: Built, start: Callable[..., Any], moment: str) -> None:
    """As process 1 it would not while it starts: the kernel gives that one no default action for SIGTERM."""
    container = start(
        # A short name: a longer line than a terminal's is broken.
        ["prefect", "worker", "start", "--pool", "nowhere", "--type", WORKERS[built.package][0], "--name", "here"],
        environment={"PREFECT_API_URL": NOBODY, "AWS_DEFAULT_REGION": "eu-central-1"},
    )
    # The init has its child, which does not yet heed anything by itself.
    poll(
        lambda: len(container.top()["Processes"]) > 1 or None,
        subject="the worker's process",
        interval_seconds=0.05,
        timeout_seconds=60,
    )
    if moment == "when it has started":
        started(container)

    code, seconds = stopped(container)
    assert code in {0, 130, 143}, container.logs().decode()
    assert seconds < 15, container.logs().decode()


def test_a_base_of_another_python_is_refused(
    base: str, docker_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.socket_url)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    assert main(["build", "kubernetes", "--python", "3.13", "--base", base, "--namespace", "never"]) == 2
    output = "".join(capfd.readouterr())
    assert f"error: the base has Python {PYTHON}, the wheels are for 3.13" in output
