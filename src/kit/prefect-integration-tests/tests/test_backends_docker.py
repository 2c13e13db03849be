"""A Docker engine runs containers of images made here, is shared, and ends with its last user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("docker")

from prefect_integration_tests.backends import docker as backend
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.docker_images import image_with_files, python_image
from prefect_integration_tests.backends.processes import ServerError

pytestmark = pytest.mark.xdist_group("docker")


def run(engine: DockerEngine, image: str, *command: str, **options: object) -> str:
    """Run a container and return its output; the SDK's own `run` may lose what a short-lived one writes."""
    container = engine.client().containers.run(image, list(command), detach=True, **options)
    try:
        assert container.wait(timeout=100)["StatusCode"] == 0, container.logs()
        return container.logs().decode()
    finally:
        container.remove(force=True)


def test_a_container_has_the_tools_of_busybox(docker_engine: DockerEngine, busybox_image: str):
    assert docker_engine.has_image(busybox_image)
    assert run(docker_engine, busybox_image, "sh", "-c", "echo hello | tr a-z A-Z; id -u") == "HELLO\n0\n"


def test_an_image_that_is_not_there_is_not_asked_for_elsewhere(docker_engine: DockerEngine):
    assert not docker_engine.has_image("no-such-image:1")


def test_containers_of_a_network_find_each_other_by_name(docker_engine: DockerEngine, busybox_image: str):
    client = docker_engine.client()
    network = client.networks.create("tests-by-name")
    try:
        server = client.containers.run(busybox_image, ["sleep", "60"], name="peer", network=network.name, detach=True)
        try:
            assert "1 packets received" in run(
                docker_engine, busybox_image, "ping", "-c1", "peer", network=network.name
            )
        finally:
            server.remove(force=True)
    finally:
        network.remove()


def test_a_container_reaches_this_machine_at_the_bridge_address(docker_engine: DockerEngine, busybox_image: str):
    assert "1 packets received" in run(docker_engine, busybox_image, "ping", "-c1", docker_engine.bridge_address)


def test_a_limit_on_memory_is_kept(docker_engine: DockerEngine, busybox_image: str):
    script = ["sh", "-c", "x=a; while true; do x=$x$x; done"]
    container = docker_engine.client().containers.run(busybox_image, script, mem_limit="16m", detach=True)
    try:
        assert container.wait(timeout=60)["StatusCode"] == 137
        container.reload()
        assert container.attrs["State"]["OOMKilled"]
    finally:
        container.remove(force=True)


def test_files_are_added_to_an_image_once(docker_engine: DockerEngine, busybox_image: str):
    image = image_with_files(docker_engine, busybox_image, {"/opt/a b/ü.txt": "hello", "/opt/raw": b"\x00\xff"})
    assert run(docker_engine, image, "cat", "/opt/a b/ü.txt") == "hello"
    assert run(docker_engine, image, "sh", "-c", "od -An -tx1 /opt/raw").split() == ["00", "ff"]
    assert image_with_files(docker_engine, busybox_image, {"/opt/raw": b"\x00\xff", "/opt/a b/ü.txt": "hello"}) == image
    assert image_with_files(docker_engine, busybox_image, {"/opt/raw": b"\x00"}) != image


@pytest.fixture
def kit_image(prefect_image: Callable[..., str]) -> str:
    return prefect_image("prefect-integration-kit")


def test_the_image_of_this_environment_imports_prefect(docker_engine: DockerEngine, kit_image: str):
    import prefect

    script = "import prefect, prefect_integration_kit, sys; print(prefect.__version__, sys.version)"
    assert run(docker_engine, kit_image, "python", "-c", script).strip() == f"{prefect.__version__} {sys.version}"
    assert run(docker_engine, kit_image, "prefect", "--version").strip() == prefect.__version__


def test_the_image_has_what_is_required_and_nothing_else(docker_engine: DockerEngine, kit_image: str):
    assert python_image(docker_engine, ["prefect-integration-kit"]) == kit_image
    packages = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    names = run(docker_engine, kit_image, "ls", packages).split()
    assert {"pydantic", "prefect_integration_kit"} <= set(names)
    assert not {"pytest", "ministack", "hypothesis"} & set(names)


def test_an_image_of_something_that_is_not_installed_is_refused(docker_engine: DockerEngine):
    with pytest.raises(ServerError, match="no-such-distribution is not installed"):
        python_image(docker_engine, ["no-such-distribution"])


# Finding and starting


@pytest.fixture
def none_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(backend, "_DEFAULT_HOST", f"unix://{tmp_path}/none.sock")


def test_an_engine_of_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(ServerError, match="must run on this machine"):
        DockerEngine.start()


@pytest.mark.usefixtures("none_running")
@pytest.mark.parametrize("ci", [True, False])
def test_a_missing_engine_is_a_failure_on_ci_alone(monkeypatch: pytest.MonkeyPatch, ci: bool):
    monkeypatch.setattr(backend, "_PROGRAM", "no-such-dockerd")
    if ci:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.delenv("CI", raising=False)
    expected = pytest.raises(ServerError if ci else pytest.skip.Exception, match="no program 'dockerd'")
    with expected, backend.skipped_when_missing():
        DockerEngine.start()


@pytest.mark.usefixtures("none_running")
def test_without_an_engine_and_its_program_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backend, "_PROGRAM", "no-such-dockerd")
    with pytest.raises(ServerError, match=r"No Docker engine answers at unix://.*apt-get install docker\.io"):
        DockerEngine.start()


def test_a_running_engine_is_used_and_left_alone(docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", docker_engine.socket_url)
    with DockerEngine.start() as engine:
        assert not engine.is_ours
    assert docker_engine.client().ping()


_USE = """
import os, sys
from prefect_integration_tests.backends import docker
docker._DEFAULT_HOST = "unix:///none.sock"
engine = docker.DockerEngine.start()
print(engine.socket_url, flush=True)
engine.import_busybox()
engine.client().containers.run("busybox:dev", ["sleep", "600"], detach=True, network_mode="none")
sys.stdin.readline()
if sys.argv[1:]:
    os.kill(os.getpid(), 9)
engine.stop()
"""


@pytest.fixture
def user():
    """Start a process that uses an engine of its own temporary folder, and return it with the engine's address."""
    started: list[subprocess.Popen[str]] = []
    folder = tempfile.mkdtemp(prefix="engine-")  # `tmp_path` is too long for sockets
    environment = {**os.environ, "TMPDIR": folder}
    environment.pop("DOCKER_HOST", None)

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        argv = [sys.executable, "-c", _USE, *arguments]
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts an engine")
def test_an_engine_ends_with_its_last_user_even_if_that_is_killed(user, docker_engine: DockerEngine):
    if not docker_engine.is_ours:
        pytest.skip("another engine runs on this machine")
    first, url = user()
    second, same = user("killed")
    assert same == url
    folder = Path(url.removeprefix("unix://")).parent
    leave(first)
    assert backend._answers(url)
    leave(second)
    deadline = time.monotonic() + 30
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert str(folder) not in Path("/proc/mounts").read_text()
