"""What images are called, what goes into them, and what docker is told; and the health check, which runs by itself."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scripts.images import context, engine
from scripts.images.__main__ import main
from scripts.images.names import EXTRAS, PLATFORMS, Image, ImageError, image, own_platform
from scripts.workspace import ROOT, Package, find, packages

MEMBERS = packages()
COMMIT = {"REVISION": "0123abc", "CREATED": "2026-05-04T03:02:01+00:00"}


def released(version: str = "0.8.0", prefect: str = "3.9.1", python: str = "3.12") -> Image:
    return Image(Package("prefect-aws", ROOT, version, "", frozenset()), prefect, python)


def test_the_tags_are_those_that_the_guides_name() -> None:
    assert released().tags(is_latest=True) == [
        "prefecthq/prefect-aws:0.8.0-python3.12-prefect3.9.1",
        "prefecthq/prefect-aws:0.8.0-python3.12",
        "prefecthq/prefect-aws:latest-python3.12",
        "prefecthq/prefect-aws:latest",
    ]


def test_on_another_python_the_newest_release_is_the_latest_of_that_python_only() -> None:
    tags = released(python="3.11").tags(is_latest=True, namespace="localhost:5000/team")

    assert tags == [
        "localhost:5000/team/prefect-aws:0.8.0-python3.11-prefect3.9.1",
        "localhost:5000/team/prefect-aws:0.8.0-python3.11",
        "localhost:5000/team/prefect-aws:latest-python3.11",
    ]


def test_what_is_not_the_newest_release_is_not_called_latest() -> None:
    assert [tag.partition(":")[2] for tag in released().tags()] == ["0.8.0-python3.12-prefect3.9.1", "0.8.0-python3.12"]


@pytest.mark.parametrize("versions", [{"version": "0.8.0rc1"}, {"prefect": "3.10.0.dev2"}], ids=["package", "prefect"])
def test_a_pre_release_is_never_the_latest(versions: dict[str, str]) -> None:
    assert released(**versions).tags()
    with pytest.raises(ImageError, match=r"is a pre-release.*Leave out --latest"):
        released(**versions).tags(is_latest=True)


def test_versions_that_make_no_tag_are_refused() -> None:
    with pytest.raises(ImageError, match=r"'0\.8\.0\+local-python3\.12-prefect3\.9\.1' is no tag"):
        released("0.8.0+local").tags()


@pytest.mark.parametrize("name", EXTRAS)
def test_each_image_has_extras_that_its_package_knows(name: str) -> None:
    package = find(name, MEMBERS)

    known = context.read_toml(package.path / "pyproject.toml")["project"].get("optional-dependencies", {})
    assert set(EXTRAS[name]) <= set(known)


@pytest.mark.parametrize(
    ("name", "versions", "message"),
    [
        ("slack", {}, "prefect-slack has no image; there are: prefect-aws, prefect-azure"),
        ("nope", {}, "no package is named 'nope'"),
        ("aws", {"python": "3"}, "--python is '3'; it must be a minor version"),
        ("aws", {"python": "3.12.1"}, "--python is '3.12.1'; it must be a minor version"),
        ("aws", {"prefect": "latest"}, "--prefect is 'latest'; it must be one version"),
    ],
    ids=["no image", "no package", "major", "patch", "word"],
)
def test_what_cannot_be_built_is_refused_with_the_reason(name: str, versions: dict[str, str], message: str) -> None:
    with pytest.raises(ImageError, match=re.escape(message)):
        image(name, MEMBERS, **{"python": "3.12", "prefect": "3.9.1", **versions})


def test_the_command_prints_the_tags(capsys: pytest.CaptureFixture[str]) -> None:
    version = find("aws", MEMBERS).version

    assert main(["tags", "prefect-aws", "--python", "3.12", "--prefect", "3.9.1", "--latest"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"prefecthq/prefect-aws:{version}-python3.12-prefect3.9.1",
        f"prefecthq/prefect-aws:{version}-python3.12",
        "prefecthq/prefect-aws:latest-python3.12",
        "prefecthq/prefect-aws:latest",
    ]


def test_the_command_lists_the_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out.split() == ["prefect-aws", "prefect-azure", "prefect-gcp", "prefect-kubernetes"]


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tags", "slack"]) == 2
    assert capsys.readouterr().err.startswith("error: prefect-slack has no image")


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("prefect-aws", {"prefect-aws", "prefect-integration-kit"}),
        ("prefect-azure", {"prefect-azure", "prefect-docker", "prefect-integration-kit"}),
    ],
    ids=["aws", "azure"],
)
def test_packages_of_this_workspace_come_with_those_they_need_at_run_time(name: str, own: set[str]) -> None:
    found = context.own_packages(find(name, MEMBERS), EXTRAS[name], MEMBERS)

    assert found[0].name == name
    assert {package.name for package in found} == own


def test_a_package_that_only_an_extra_needs_comes_with_the_extra() -> None:
    dbt = find("dbt", MEMBERS)

    assert "prefect-snowflake" not in {package.name for package in context.own_packages(dbt, (), MEMBERS)}
    assert "prefect-snowflake" in {package.name for package in context.own_packages(dbt, ("snowflake",), MEMBERS)}


def test_an_image_starts_from_exact_versions_and_brings_what_runs_bundles() -> None:
    requirements = context.wanted(image("gcp", MEMBERS, python="3.12", prefect="3.9.1"))

    version = find("gcp", MEMBERS).version
    assert requirements[:2] == [f"prefect-gcp[aiplatform]=={version}", "prefect[bundles]==3.9.1"]
    assert {"dumb-init", "pip", "uv"} <= set(requirements)


def test_wheels_are_taken_for_the_newest_glibc_that_the_base_has() -> None:
    tags = context.wheel_platforms("aarch64")

    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("finished")

    with pytest.raises(ImageError, match="holds something else"):
        context.prepare(released(), MEMBERS, ["linux/amd64"], tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "finished"


def test_docker_is_told_what_the_image_holds_and_what_it_is_called() -> None:
    options = engine.Options(["a:1", "a:2"], [own_platform()], is_pushed=True)
    arguments = engine.build_arguments(released(), options, COMMIT)
    build, *pushes = engine.commands(Path("folder"), options, arguments)

    assert build[:2] == ["docker", "build"]
    assert build[-1] == "folder"
    assert {"BASE=python:3.12-slim", "VERSION=0.8.0", "PREFECT_VERSION=3.9.1", "REVISION=0123abc"} <= set(build)
    assert [build[n + 1] for n, part in enumerate(build) if part == "--tag"] == ["a:1", "a:2"]
    assert pushes == [["docker", "push", "a:1"], ["docker", "push", "a:2"]]


def test_every_argument_of_the_dockerfile_is_given_and_no_other() -> None:
    text = (context.FOLDER / "Dockerfile").read_text(encoding="utf-8")

    given = engine.build_arguments(released(), engine.Options([], []), COMMIT)
    assert set(given) == set(re.findall(r"^ARG (\w+)", text, flags=re.MULTILINE))


def test_a_base_of_ones_own_replaces_the_official_one() -> None:
    options = engine.Options([], [], base="python@sha256:0123", system_packages="")
    arguments = engine.build_arguments(released(), options, COMMIT)

    assert (arguments["BASE"], arguments["SYSTEM_PACKAGES"]) == ("python@sha256:0123", "")


def test_another_platform_is_named_to_docker() -> None:
    other = next(platform for platform in PLATFORMS if platform != own_platform())

    (build,) = engine.commands(Path("folder"), engine.Options(["a:1"], [other]), {})
    assert build[2:4] == ["--platform", other]


def test_several_platforms_go_straight_to_the_registry() -> None:
    options = engine.Options(["a:1"], list(PLATFORMS), is_pushed=True)

    (build,) = engine.commands(Path("folder"), options, {})
    assert build[:5] == ["docker", "buildx", "build", "--platform", "linux/amd64,linux/arm64"]
    assert "--push" in build
    with pytest.raises(ImageError, match="Add --push"):
        engine.commands(Path("folder"), engine.Options(["a:1"], list(PLATFORMS)), {})


def test_the_dockerfile_builds_everywhere_and_keeps_what_images_promise() -> None:
    text = (context.FOLDER / "Dockerfile").read_text(encoding="utf-8")

    assert "--mount" not in text  # needs BuildKit
    assert not text.startswith("# syntax")  # would fetch a program from a registry
    assert re.search(r"^USER 1000:1000$", text, flags=re.MULTILINE)
    assert re.search(r"^WORKDIR /opt/prefect$", text, flags=re.MULTILINE)
    assert not re.search(r"ARG .*(TOKEN|KEY|PASSWORD|INDEX)", text)


def test_the_guides_name_tags_that_are_made() -> None:
    made = re.compile(r"latest|latest-python3\.\d+|[\d.]+-python3\.\d+|[\d.]+-python3\.\d+-prefect[\d.]+")
    names = "|".join(EXTRAS)
    found: dict[str, str] = {}
    for page in sorted((ROOT / "docs" / "integrations").rglob("*.mdx")):
        for tag in re.findall(rf"prefecthq/(?:{names}):([\w.-]*\w)", page.read_text(encoding="utf-8")):
            found[tag] = page.name

    assert found
    assert [(page, tag) for tag, page in found.items() if not made.fullmatch(tag)] == []


# The health check


@pytest.fixture(scope="module")
def health() -> ModuleType:
    """The program of the image, which has no package around it."""
    spec = importlib.util.spec_from_file_location("worker_health", context.FOLDER / "worker_health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def answering() -> Iterator[Callable[[int], int]]:
    """A maker of servers that answer `/health` with one status each; it returns the port."""
    servers: list[HTTPServer] = []

    def make(status: int) -> int:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/health" else 404)
                self.end_headers()
                self.wfile.write(b'{"message":"said"}')

            def log_message(self, *args: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server.server_port

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


WORKER = ["/opt/venv/bin/python", "/opt/venv/bin/prefect", "worker", "start", "--pool", "p", "--with-healthcheck"]


def processes(folder: Path, *commands: tuple[list[str], dict[str, str]]) -> Path:
    """Write what `/proc` would hold."""
    for number, (arguments, environment) in enumerate(commands, start=1):
        (folder / str(number)).mkdir()
        (folder / str(number) / "cmdline").write_bytes("\0".join([*arguments, ""]).encode())
        lines = "\0".join(f"{name}={value}" for name, value in environment.items())
        (folder / str(number) / "environ").write_bytes(lines.encode())
    (folder / "self").mkdir()
    return folder


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_the_workers_own_verdict_is_passed_on(
    health: ModuleType, answering: Callable[[int], int], tmp_path: Path, status: int, code: int
) -> None:
    port = {"PREFECT_WORKER_WEBSERVER_PORT": str(answering(status)), "PREFECT_WORKER_WEBSERVER_HOST": "0.0.0.0"}

    assert health.main(processes(tmp_path, (["dumb-init", "--"], {}), (WORKER, port))) == code


def test_a_worker_that_does_not_answer_is_unhealthy(
    health: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert health.main(processes(tmp_path, (WORKER, {"PREFECT_WORKER_WEBSERVER_PORT": "1"}))) == 1
    assert "no answer at 127.0.0.1:1" in capsys.readouterr().out


def test_one_unhealthy_worker_of_two_is_enough(
    health: ModuleType, answering: Callable[[int], int], tmp_path: Path
) -> None:
    ports = [{"PREFECT_WORKER_WEBSERVER_PORT": str(answering(status))} for status in (200, 503)]

    assert health.main(processes(tmp_path, *((WORKER, port) for port in ports))) == 1


@pytest.mark.parametrize(
    "arguments",
    [WORKER[:-1], ["/bin/sh", "-c", " ".join(WORKER)], ["python", "flow.py", "--with-healthcheck"]],
    ids=["worker without it", "shell around a worker", "flow"],
)
def test_where_no_worker_answers_nobody_is_asked(
    health: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert health.main(processes(tmp_path, (arguments, {}))) == 0
    assert "no worker serves its health here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")]
)
def test_the_address_that_a_worker_listens_on_is_the_one_that_is_asked(
    health: ModuleType, tmp_path: Path, host: str, asked: str
) -> None:
    folder = processes(tmp_path, (WORKER, {"PREFECT_WORKER_WEBSERVER_HOST": host}))

    assert list(health.workers(folder)) == [(asked, 8080)]


@pytest.mark.skipif(sys.platform != "linux", reason="containers have /proc")
def test_the_check_runs_without_site_packages() -> None:
    command = [sys.executable, "-IS", str(context.FOLDER / "worker_health.py")]

    done = subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    assert done.stderr == ""
