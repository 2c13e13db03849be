"""`push_docker_image` on a real engine and a real registry that asks for a login."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.dockerutils import PushError

from prefect_docker import DockerRegistryCredentials
from prefect_docker.deployments import steps
from prefect_docker.errors import (
    DockerImageNotFound,
    DockerInvalidRequest,
    ImagePushDenied,
    ImagePushFailed,
)
from prefect_integration_tests.backends.faults import closed_port

from ._projects import Project, new_project

pytestmark = pytest.mark.xdist_group("docker-builds")  # of the fixtures that cost time none is needed here


@pytest.fixture
def project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: Any,
    docker_client: Any,
    busybox_image: str,
    docker_registry: Any,
) -> Iterator[Project]:
    with new_project(tmp_path, monkeypatch, docker_client, busybox_image) as project:
        project.name = f"{docker_registry.host}/{project.name}"
        yield project


@pytest.fixture
def credentials(docker_registry: Any) -> dict[str, Any]:
    return {
        "username": docker_registry.username,
        "password": docker_registry.password,
        "registry_url": docker_registry.host,
    }


def log_in(registry: Any, docker_config: Path) -> None:
    login = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    (docker_config / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))


def is_in_registry(registry: Any, project: Project, name: str) -> bool:
    """Ask the registry, by way of the engine, whether it has an image."""
    from docker.errors import APIError

    try:
        project.client.api.inspect_distribution(name, auth_config=registry.auth_config)
    except APIError:
        return False
    return True


def pushes(registry: Any, project: Project) -> int:
    path = project.name.partition("/")[2]
    return sum(request.startswith(f"PUT /v2/{path}/manifests/") for request in registry.requests())


def test_an_image_is_pushed_with_all_its_tags(
    project: Project, docker_registry: Any, credentials: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    built = project.build(additional_tags=["stable", "v1"])
    output = steps.push_docker_image(built["image_name"], built["tag"], credentials, built["additional_tags"])
    assert output == {
        "image_name": project.name,
        "tag": "1",
        "image": f"{project.name}:1",
        "additional_tags": ["stable", "v1"],
    }
    assert all(is_in_registry(docker_registry, project, f"{project.name}:{tag}") for tag in ("1", "stable", "v1"))
    assert f"The push refers to repository [{project.name}]" in capsys.readouterr().out


def test_all_tags_are_pushed_when_none_is_given(
    project: Project, docker_registry: Any, credentials: dict[str, Any]
) -> None:
    project.build(additional_tags=["stable"])
    assert steps.push_docker_image(project.name, credentials=credentials)["tag"] is None
    assert all(is_in_registry(docker_registry, project, f"{project.name}:{tag}") for tag in ("1", "stable"))


def test_dockers_own_logins_are_used_by_host(project: Project, docker_registry: Any, docker_config: Path) -> None:
    log_in(docker_registry, docker_config)
    project.build()
    steps.push_docker_image(project.name, "1")
    assert is_in_registry(docker_registry, project, f"{project.name}:1")


def test_credentials_may_be_a_block(project: Project, docker_registry: Any, credentials: dict[str, Any]) -> None:
    project.build()
    block: Any = DockerRegistryCredentials(**credentials)
    steps.push_docker_image(project.name, "1", block)
    assert is_in_registry(docker_registry, project, f"{project.name}:1")


def test_credentials_for_another_registry_are_not_sent(
    project: Project,
    docker_registry: Any,
    docker_config: Path,
    credentials: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_in(docker_registry, docker_config)
    project.build()
    other = {**credentials, "password": "wrong", "registry_url": "https://registry.example.com"}
    steps.push_docker_image(project.name, "1", other)
    assert is_in_registry(docker_registry, project, f"{project.name}:1")
    assert "The given credentials are for registry https://registry.example.com" in caplog.text


def test_no_credentials_are_told_with_the_registry_and_a_remedy(project: Project, docker_registry: Any) -> None:
    project.build()
    with pytest.raises(PushError, match=rf"to registry '{docker_registry.host}' with no credentials") as caught:
        steps.push_docker_image(project.name, "1")
    assert isinstance(caught.value, ImagePushDenied)
    assert isinstance(caught.value, OSError)
    assert f"Give credentials whose registry_url is '{docker_registry.host}'" in str(caught.value)


def test_refused_credentials_are_told_without_the_password(
    project: Project, credentials: dict[str, Any], canary: str, no_canary_leaks: Any
) -> None:
    project.build()
    with pytest.raises(ImagePushDenied, match="credentials block of 'testing'") as caught:
        steps.push_docker_image(project.name, "1", {**credentials, "password": canary})
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.add("the memory", repr(steps.STEP_OUTPUT_CACHE))
    no_canary_leaks.check()


def test_credentials_that_lack_a_field_are_refused_by_name(project: Project, credentials: dict[str, Any]) -> None:
    del credentials["username"]
    with pytest.raises(DockerInvalidRequest, match="credentials: username: Field required") as caught:
        steps.push_docker_image(project.name, "1", credentials)
    assert credentials["password"] not in str(caught.value)
    with pytest.raises(DockerInvalidRequest, match="credentials must hold username"):
        steps.push_docker_image(project.name, "1", "testing")  # pyright: ignore[reportArgumentType]


def test_an_image_that_is_not_there_is_told(project: Project, credentials: dict[str, Any]) -> None:
    with pytest.raises(DockerImageNotFound, match=r"as the engine does not have it. Build it first"):
        steps.push_docker_image(project.name, "none", credentials)


def test_a_name_without_a_registry_says_that_docker_hub_was_tried(project: Project) -> None:
    name = project.name.partition("/")[2]
    project.build(image_name=name)
    with pytest.raises(ImagePushFailed, match=r"to registry 'docker\.io'"):
        steps.push_docker_image(name, "1")


def test_a_registry_that_does_not_answer_is_told(project: Project) -> None:
    name = f"127.0.0.1:{closed_port()}/{project.name.partition('/')[2]}"
    project.build(image_name=name)
    with pytest.raises(ImagePushFailed, match="connection refused"):
        steps.push_docker_image(name, "1")


def test_one_deploy_pushes_an_image_once_and_again_when_it_has_changed(
    project: Project, docker_registry: Any, credentials: dict[str, Any]
) -> None:
    project.build()
    outputs = [steps.push_docker_image(project.name, "1", credentials) for _ in range(3)]
    assert outputs[0] == outputs[1] == outputs[2]
    assert pushes(docker_registry, project) == 1
    project.write("flow.py", "print('changed')")
    project.build()
    steps.push_docker_image(project.name, "1", credentials)
    assert pushes(docker_registry, project) == 2
    steps.push_docker_image(project.name, "1", credentials, ignore_cache=True)
    assert pushes(docker_registry, project) == 3


# Base images from a registry


@pytest.fixture
def base(project: Project, docker_registry: Any, docker_config: Path, docker_engine: Any) -> str:
    """A base image that the engine has pulled from the registry, and that has a newer one there since."""
    name = f"{project.name}-base:1"
    project.write("newer/Dockerfile", f"FROM {project.base}\nCOPY Dockerfile /newer\n")
    newer = project.build(tag="newer", path="newer")["image"]
    docker_registry.push(docker_engine, project.base, name)
    project.client.images.pull(*name.rsplit(":", 1), auth_config=docker_registry.auth_config)
    old = project.client.images.get(name)
    docker_registry.push(docker_engine, newer, name)
    old.tag(*name.rsplit(":", 1))
    project.client.images.pull(f"{name.rpartition(':')[0]}@{old.attrs['RepoDigests'][0].partition('@')[2]}",
                               auth_config=docker_registry.auth_config)  # fmt: skip
    project.write("Dockerfile", f"FROM {name}\nCOPY flow.py /\n")
    log_in(docker_registry, docker_config)
    return name


def has_newer_base(project: Project, **inputs: Any) -> bool:
    return "newer" in project.run(project.build_in_another_deploy(**inputs)["image"], "ls /")


def test_a_newer_base_image_is_fetched_unless_that_is_turned_off(project: Project, base: str) -> None:
    assert not has_newer_base(project, pull=False)
    assert has_newer_base(project)


def test_a_known_image_gives_way_to_one_on_a_newer_base(project: Project, base: str) -> None:
    assert not has_newer_base(project, pull=False)
    project.write("Dockerfile", (project.folder / "Dockerfile").read_text())
    assert has_newer_base(project)


def test_a_base_image_is_used_when_its_registry_cannot_be_asked(
    project: Project, base: str, docker_config: Path
) -> None:
    (docker_config / "config.json").unlink()  # the registry refuses
    assert not has_newer_base(project)
