"""Both steps with `build_backend: buildx`; `_docker_cli.py` stands for the Docker CLI."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.dockerutils import BuildError

from prefect_docker._build import attempts
from prefect_docker.deployments import steps
from prefect_docker.errors import BuildxMissing, DockerImageNotFound, ImageBuildFailed, ImagePushDenied

from ._projects import Project, new_project

pytestmark = pytest.mark.xdist_group("docker-builds")  # of the fixtures that cost time none is needed here


class Cli:
    """The stand-in, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "log"
        self._failures = folder / "failures"
        self._failures.touch()
        self._log.touch()
        self.environment = {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "STAND_IN_LOG": str(self._log),
            "STAND_IN_FAILURES": str(self._failures),
        }

    def install(self) -> None:
        source = Path(__file__).with_name("_docker_cli.py").read_text()
        program = self.folder / "docker"
        program.write_text(f"#!{sys.executable} -IS\n{source}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def fail(self, *messages: str) -> None:
        self._failures.write_text("\n".join(messages))

    def calls(self, command: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [call for call in found if call["command"] == command]

    def build(self) -> dict[str, Any]:
        (call,) = self.calls("build")
        return call


@pytest.fixture
def cli(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("cli"))
    cli.install()
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    return cli


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any, docker_client: Any, busybox_image: str, cli: Cli
) -> Iterator[Project]:
    with new_project(tmp_path, monkeypatch, docker_client, busybox_image) as project:
        yield project


def build(project: Project, **inputs: Any) -> steps.BuildDockerImageResult:
    return project.build(build_backend="buildx", **inputs)


def test_an_image_is_built_loaded_and_named(project: Project, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    output = build(project, additional_tags=["stable"], labels={"team": "shop"}, platform="linux/amd64")
    assert project.client.images.get(f"{project.name}:stable").id == output["image_id"]
    assert project.client.images.get(output["image"]).labels["team"] == "shop"
    assert "#1 [internal] load build definition from Dockerfile" in capsys.readouterr().out
    call = cli.build()
    assert call["context"] == str(project.folder)
    assert call["flags"]["tag"] == [f"{project.name}:1", f"{project.name}:stable"]
    assert call["flags"]["file"] == [str(project.folder / "Dockerfile")]
    assert call["flags"]["platform"] == ["linux/amd64"]
    assert call["flags"]["progress"] == ["plain"]
    assert {"load", "iidfile"} < set(call["flags"])
    assert not {"pull", "no-cache", "push"} & set(call["flags"])


def test_a_quiet_build_is_quiet(project: Project, cli: Cli) -> None:
    assert build(project, quiet=True, load=True, ssh="default")["image_id"].startswith("sha256:")
    assert "quiet" in cli.build()["flags"]


def test_secrets_reach_the_build_and_nothing_else(
    project: Project,
    cli: Cli,
    canary: str,
    no_canary_leaks: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.write("Dockerfile", f"FROM {project.base}\nARG GIT_TOKEN\nCOPY flow.py /\n# --mount=type=secret,id=pip\n")
    output = build(project, secrets={"pip": canary}, buildargs={"GIT_TOKEN": f"git{canary}"})
    call = cli.build()
    assert call["secrets"] == {"pip": canary}
    assert call["build_args"] == {"GIT_TOKEN": f"git{canary}"}
    assert "the secret pip is ********" in capsys.readouterr().out  # the stand-in said it
    no_canary_leaks.add("arguments", repr(call["arguments"]))
    no_canary_leaks.add("the output", repr(output))
    no_canary_leaks.add("the memory", repr(steps.STEP_OUTPUT_CACHE))
    for record in (tmp_path / "prefect-home" / "docker-builds").iterdir():
        no_canary_leaks.add("a record", record.name + record.read_text())
    no_canary_leaks.check()


def test_a_secret_is_not_in_the_images_history(project: Project, canary: str) -> None:
    project.dockerfile("FROM {base}\nRUN --mount=type=secret,id=pip cat /run/secrets/pip\nCOPY flow.py /\n")
    assert canary not in project.history(build(project, secrets={"pip": canary})["image"])


def test_a_secret_does_not_stand_in_the_error(project: Project, cli: Cli, canary: str, no_canary_leaks: Any) -> None:
    cli.fail(f"the server refused {canary}")
    with pytest.raises(BuildError) as caught:
        build(project, secrets={"pip": canary})
    assert "the server refused ********" in str(caught.value)
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()


def test_the_next_deploy_knows_the_image_whatever_the_secrets(project: Project, cli: Cli) -> None:
    first = build(project, secrets={"pip": "one-secret"})
    second = project.build_in_another_deploy(build_backend="buildx", secrets={"pip": "another-secret"})
    assert second == first
    assert len(cli.calls("build")) == 1
    project.build_in_another_deploy(build_backend="buildx", secrets={"npm": "another-secret"})
    assert len(cli.calls("build")) == 2


def test_the_made_dockerfile_lies_elsewhere(project: Project, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    project.without_dockerfile(monkeypatch)
    build(project, dockerfile="auto")
    assert project.folder not in Path(cli.build()["flags"]["file"][0]).parents
    assert project.files() == ["flow.py"]


def test_an_ignore_file_of_the_dockerfile_counts(project: Project, cli: Cli) -> None:
    project.write("Dockerfile.dockerignore", "notes.txt")
    build(project)
    project.write("notes.txt", "1")
    project.build_in_another_deploy(build_backend="buildx")
    assert len(cli.calls("build")) == 1


def test_a_failing_step_is_told(project: Project) -> None:
    project.dockerfile("FROM {base}\nRUN echo oh && exit 3\n")
    with pytest.raises(ImageBuildFailed, match=r"at '\[2/3\] RUN echo oh && exit 3': The command .* code: 3"):
        build(project)


def test_what_may_pass_is_tried_again(
    project: Project, cli: Cli, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_clock", fake_clock)
    cli.fail("failed to do request: net/http: TLS handshake timeout", "unexpected status: 503 Service Unavailable")
    build(project)
    assert len(cli.calls("build")) == 3


def test_what_cannot_pass_is_not_tried_again(project: Project, cli: Cli) -> None:
    cli.fail("pull access denied")
    with pytest.raises(ImageBuildFailed, match="pull access denied"):
        build(project)
    assert len(cli.calls("build")) == 1


def test_a_program_without_buildx_is_told_with_a_remedy(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_BUILDX", "absent")
    with pytest.raises(BuildxMissing, match=r"plugin buildx .*github\.com/docker/buildx#installing.*leave out"):
        build(project)


def test_no_program_is_told_with_a_remedy(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildxMissing, match="there is no program 'docker' on the PATH"):
        build(project)


# Pushing


@pytest.fixture
def logged_in(docker_registry: Any, docker_config: Path) -> Any:
    """The registry, with the CLI logged in to it."""
    import base64

    login = base64.b64encode(f"{docker_registry.username}:{docker_registry.password}".encode()).decode()
    (docker_config / "config.json").write_text(json.dumps({"auths": {docker_registry.host: {"auth": login}}}))
    return docker_registry


def test_the_image_is_pushed_by_the_program_and_its_logins(
    project: Project, cli: Cli, logged_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{logged_in.host}/{project.name}"
    output = build(project, image_name=name, additional_tags=["stable"])
    pushed = steps.push_docker_image(name, "1", additional_tags=["stable"], build_backend="buildx")
    assert pushed == {"image_name": name, "tag": "1", "image": output["image"], "additional_tags": ["stable"]}
    assert [call["arguments"][1] for call in cli.calls("image push")] == [f"{name}:1", f"{name}:stable"]
    assert "The push refers to repository" in capsys.readouterr().out


def test_all_tags_are_pushed_when_none_is_given(project: Project, cli: Cli, logged_in: Any) -> None:
    name = f"{logged_in.host}/{project.name}"
    build(project, image_name=name, additional_tags=["stable"])
    assert steps.push_docker_image(name, build_backend="buildx")["tag"] is None
    assert [call["arguments"][1] for call in cli.calls("image push")] == [f"{name}:1", f"{name}:stable"]


def test_given_credentials_do_not_reach_the_program(
    project: Project, cli: Cli, docker_registry: Any, docker_config: Path
) -> None:
    name = f"{docker_registry.host}/{project.name}"
    build(project, image_name=name)
    login = {"username": docker_registry.username, "password": docker_registry.password}
    steps.push_docker_image(
        name, "1", credentials={**login, "registry_url": docker_registry.host}, build_backend="buildx"
    )
    assert cli.calls("image push") == []
    assert list(docker_config.iterdir()) == []


def test_a_refused_push_names_the_registry(project: Project, docker_registry: Any) -> None:
    name = f"{docker_registry.host}/{project.name}"
    build(project, image_name=name)
    with pytest.raises(ImagePushDenied, match=rf"to registry '{docker_registry.host}'.*no basic auth credentials"):
        steps.push_docker_image(name, "1", build_backend="buildx")


def test_an_image_that_was_pushed_as_it_was_built_is_not_pushed_again(
    project: Project, cli: Cli, logged_in: Any, docker_client: Any
) -> None:
    name = f"{logged_in.host}/{project.name}"
    output = build(project, image_name=name, push=True, platforms=["linux/amd64", "linux/arm64"])
    assert output["image_id"].startswith("sha256:")
    assert f"{name}:1" not in [tag for image in docker_client.images.list() for tag in image.tags]
    steps.push_docker_image(name, "1", build_backend="buildx")
    assert cli.calls("image push") == []
    assert cli.build()["flags"]["platform"] == ["linux/amd64,linux/arm64"]


def test_an_image_that_is_not_there_is_told(project: Project) -> None:
    with pytest.raises(DockerImageNotFound, match=r"cannot be pushed, as the engine does not have it. Build it first"):
        steps.push_docker_image(project.name, "none", build_backend="buildx")
