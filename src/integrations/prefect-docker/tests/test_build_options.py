"""Options of both back ends: what is passed on, what is refused, and where secrets go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_docker._build.buildx_options import buildx_options, render_options
from prefect_docker._build.options import docker_py_options
from prefect_docker._build.values import is_secret, truth
from prefect_docker.errors import DockerInvalidRequest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_context_is_the_working_directory_unless_a_path_is_given(folder: Path) -> None:
    assert docker_py_options({}).context == folder
    assert docker_py_options({"path": "app"}).context == folder / "app"
    assert docker_py_options({"context": str(folder / "app")}).context == folder / "app"
    assert buildx_options({"context_path": "app"}).context == folder / "app"
    assert docker_py_options({"path": "https://example.com/a.git"}).context == "https://example.com/a.git"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "nowhere"}, "path 'nowhere' is no folder"),
        ({"path": ".", "context": "."}, "path and context both name the build context"),
        ({"build_args": {}}, "docker-py calls it 'buildargs'"),
        ({"cache": False}, "docker-py calls it 'nocache'"),
        ({"plattform": "x"}, "knows no option 'plattform'. Did you mean 'platform'"),
        ({"secrets": ["id=a"]}, "secrets needs BuildKit. Add 'build_backend: buildx'"),
        ({"ssh": "default"}, "ssh needs BuildKit"),
        ({"cache_to": "type=gha"}, "cache_to needs BuildKit"),
        ({"platform": ["linux/amd64", "linux/arm64"]}, "several platforms"),
        ({"nocache": "maybe"}, "nocache is 'maybe'. Write true or false"),
        ({"buildargs": ["A=1"]}, "buildargs must be a mapping"),
        ({"buildargs": {"VERSION": 1.1}}, "buildargs.VERSION must be a text, and is a float"),
        ({"labels": {"a": None}}, "labels.a must be a text"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_wrong_option_of_docker_py_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DockerInvalidRequest, match=message):
        docker_py_options(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret": "id=a"}, "no option 'secret' of buildx. Did you mean 'secrets'"),
        ({"file": "Dockerfile"}, "input dockerfile"),
        ({"tags": ["a"]}, "tag and additional_tags"),
        ({"buildargs": {}, "build_args": {}}, "are the same option"),
        ({"platforms": ["linux/amd64", "linux/arm64"]}, "Add 'push: true'"),
        ({"platform": "linux/amd64,linux/arm64"}, "Add 'push: true'"),
        ({"secrets": "hunter2hunter2"}, "is not written as id=NAME"),
        ({"secrets": ["id=a,value=hunter2hunter2"]}, "is not written as id=NAME"),
        ({"secrets": ["id=a,src=nowhere.txt"]}, r"secrets\[0\]: the secret 'a' is in no file 'nowhere.txt'"),
        ({"secrets": ["id=a,env=NOT_SET_ANYWHERE"]}, "variable 'NOT_SET_ANYWHERE' .* is not set"),
        ({"secrets": {"a,b": "hunter2hunter2"}}, "no ID of a secret"),
        ({"ssh": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "ssh holds a key itself"),
        (
            {"cache_to": "type=azblob,secret_access_key=hunter2hunter2"},
            "secret_access_key would stand in the arguments",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_wrong_option_of_buildx_is_refused_by_name_and_without_its_secret(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DockerInvalidRequest, match=message) as caught:
        buildx_options(options)
    assert "hunter2" not in str(caught.value)


def test_one_image_to_take_layers_from_becomes_a_list() -> None:
    assert docker_py_options({"cache_from": "shop/cache"}).others["cache_from"] == ["shop/cache"]


def test_a_variable_that_is_wanted_twice_is_refused() -> None:
    cache = {"type": "s3", "secret_access_key": "hunter2hunter2"}
    with pytest.raises(
        DockerInvalidRequest, match="AWS_SECRET_ACCESS_KEY is given as a build argument and by cache_to"
    ):
        buildx_options({"buildargs": {"AWS_SECRET_ACCESS_KEY": "other"}, "cache_to": cache})


def rendered(**options: Any) -> list[str]:
    return render_options(buildx_options(options))[0]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, ["--load"]),
        ({"push": True}, ["--push"]),
        ({"push": True, "platforms": "linux/amd64, linux/arm64"}, ["--push", "--platform", "linux/amd64,linux/arm64"]),
        ({"platform": "linux/arm64"}, ["--platform", "linux/arm64", "--load"]),
        ({"output": {"type": "oci", "dest": "a.tar"}}, ["--output", "type=oci,dest=a.tar"]),
        ({"load": True}, ["--load"]),
        ({"nocache": True}, ["--no-cache", "--load"]),
        ({"cache": False}, ["--no-cache", "--load"]),
        ({"cache": True}, ["--load"]),
        ({"buildargs": {"A": 1}}, ["--build-arg", "A=1", "--load"]),
        ({"labels": {"a": "b"}}, ["--label", "a=b", "--load"]),
        ({"extra_hosts": {"db": "10.0.0.1"}}, ["--add-host", "db:10.0.0.1", "--load"]),
        ({"network_mode": "host", "target": "run"}, ["--target", "run", "--network", "host", "--load"]),
        ({"ssh": ["default", "git=/key"]}, ["--ssh", "default", "--ssh", "git=/key", "--load"]),
        ({"provenance": False, "sbom": {"generator": "x"}}, ["--provenance=false", "--sbom", "generator=x", "--load"]),
        ({"cache_from": "shop/cache"}, ["--cache-from", "shop/cache", "--load"]),
        (
            {"cache_from": [{"type": "gha"}, "type=local,src=a"], "cache_to": {"type": "gha", "mode": "max"}},
            [
                "--cache-from",
                "type=gha",
                "--cache-from",
                "type=local,src=a",
                "--cache-to",
                "type=gha,mode=max",
                "--load",
            ],
        ),
        ({"rm": True, "forcerm": True, "builder": "big"}, ["--builder", "big", "--load"]),
    ],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, dict) else None,
)
def test_options_become_arguments(options: dict[str, Any], arguments: list[str]) -> None:
    assert rendered(**options) == arguments


def test_secret_values_go_to_the_environment_alone() -> None:
    cache = {"type": "s3", "bucket": "b", "access_key_id": "AKIA1", "secret_access_key": "s3-secret"}
    options = buildx_options(
        {
            "secrets": {"pip": SecretStr("pip-secret"), "npm": "npm-secret"},
            "buildargs": {"GIT_TOKEN": "git-secret", "MODE": "fast"},
            "cache_to": cache,
        }
    )
    arguments, environment = render_options(options)
    assert not any(f"{word}-secret" in " ".join(arguments) for word in ("pip", "npm", "git", "s3"))
    assert environment == {
        "PREFECT_BUILD_SECRET_1": "pip-secret",
        "PREFECT_BUILD_SECRET_2": "npm-secret",
        "GIT_TOKEN": "git-secret",
        "AWS_ACCESS_KEY_ID": "AKIA1",
        "AWS_SECRET_ACCESS_KEY": "s3-secret",
    }
    written = ["--build-arg", "GIT_TOKEN", "--build-arg", "MODE=fast"]
    assert arguments[:8] == [
        *written, "--secret", "id=pip,env=PREFECT_BUILD_SECRET_1", "--secret", "id=npm,env=PREFECT_BUILD_SECRET_2"
    ]  # fmt: skip


def test_secrets_in_files_and_variables_are_named_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pip.conf").write_text("x")
    monkeypatch.setenv("NPM_TOKEN", "y")
    found = rendered(secrets=["id=pip,src=pip.conf", {"id": "npm", "env": "NPM_TOKEN"}])
    assert found == ["--secret", "id=pip,src=pip.conf", "--secret", "id=npm,env=NPM_TOKEN", "--load"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PIP_TOKEN", "x", True),
        ("password", "x", True),
        ("DB_PASSWORD", "x", True),
        ("API-KEY", "x", True),
        ("AWS_SECRET_ACCESS_KEY", "x", True),
        ("INDEX", "https://user:word@example.com/simple", True),
        ("KEY", "-----BEGIN RSA PRIVATE KEY-----", True),
        ("HTTP_PROXY", "http://user:word@proxy", False),
        ("PIP_TOKEN", "", False),
        ("TOKENIZER", "bert", False),
        ("VERSION", "3.12", False),
        ("INDEX", "https://example.com/simple", False),
    ],
)
def test_build_arguments_that_look_like_secrets_are_told_apart(name: str, value: str, expected: bool) -> None:
    assert is_secret(name, value) is expected


@pytest.mark.parametrize(
    ("given", "expected"), [(True, True), ("true", True), ("False", False), (None, False), (0, False)]
)
def test_truth_values_may_come_as_words_from_templates(given: Any, expected: bool) -> None:
    assert truth("ignore_cache", given) is expected
