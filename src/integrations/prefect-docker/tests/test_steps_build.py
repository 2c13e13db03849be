"""`build_docker_image` on a real engine, by the engine's own builder."""

from __future__ import annotations

import contextvars
import functools
import http.server
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.dockerutils import BuildError

from prefect_docker._build import context as build_context
from prefect_docker.deployments import steps
from prefect_docker.errors import DockerInvalidRequest, DockerUnavailable, ImageBuildFailed

from ._projects import Project, new_project

pytestmark = pytest.mark.xdist_group("docker-builds")  # of the fixtures that cost time none is needed here


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any, docker_client: Any, busybox_image: str
) -> Iterator[Project]:
    with new_project(tmp_path, monkeypatch, docker_client, busybox_image) as project:
        yield project


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)


def test_an_image_is_built_and_named(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.dockerfile("FROM {base}\nCOPY . /app/\nRUN echo hello > /greeting\n")
    output = project.build(additional_tags=["stable", "1"])
    name = project.name
    image_id = project.client.images.get(f"{name}:1").id
    assert output == {
        "image_name": name,
        "tag": "1",
        "image": f"{name}:1",
        "image_id": image_id,
        "additional_tags": ["stable", "1"],
    }
    assert project.client.images.get(f"{name}:stable").id == image_id
    assert project.run(f"{name}:1", "cat /greeting; ls /app") == "hello\nDockerfile\nflow.py\n"
    assert "Step 3/4 : RUN echo hello" in capsys.readouterr().out


def test_options_reach_the_engine(project: Project) -> None:
    project.write("app/Dockerfile.dev", DOCKERFILE_WITH_STAGES.format(base=project.base))
    output = project.build(
        path="app",
        dockerfile="Dockerfile.dev",
        buildargs={"NUMBER": 7},
        labels={"team": "shop"},
        target="first",
        nocache="true",
        platform="linux/amd64",
        gzip=True,
    )
    assert project.run(output["image"], "cat /number; ls /last 2>&1") == "7\nls: /last: No such file or directory\n"
    labels = project.client.images.get(output["image"]).labels
    assert labels["team"] == "shop"
    assert "io.prefect.version" in labels


DOCKERFILE_WITH_STAGES = """FROM {base} AS first
ARG NUMBER
RUN echo $NUMBER > /number
FROM first AS last
RUN touch /last
"""


def test_the_tag_is_the_time_of_the_build_unless_one_is_given(project: Project) -> None:
    output = project.build(tag=None)
    assert output["tag"].startswith("20")
    assert output["image"] == f"{project.name}:{output['tag']}"
    assert project.client.images.get(output["image"]).id == output["image_id"]


def test_a_dockerfile_outside_the_context_is_used_and_not_copied(project: Project, tmp_path: Path) -> None:
    project.write(".dockerignore", "*.tmp")
    outside = tmp_path / "Dockerfile.outside"
    outside.write_text((project.folder / "Dockerfile").read_text())
    (project.folder / "Dockerfile").unlink()
    output = project.build(dockerfile=str(outside))
    assert project.run(output["image"], "ls -A /app") == ".dockerignore\nflow.py\n"
    assert project.build(dockerfile=str(outside), ignore_cache=True)["image_id"] == output["image_id"]


def test_a_context_may_come_packed(project: Project) -> None:
    import io

    file = io.BytesIO(f"FROM {project.base}\nRUN echo packed > /how\n".encode())
    assert project.run(project.build(fileobj=file)["image"], "cat /how") == "packed\n"


def test_a_quiet_build_has_an_id_too(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    output = project.build(quiet=True)
    assert output["image_id"] == project.client.images.get(output["image"]).id
    assert "Step" not in capsys.readouterr().out


def test_a_context_may_be_an_address_and_is_fetched_at_each_deploy(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "context").write_text(f"FROM {project.base}\nENV FROM=afar\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        path = f"http://127.0.0.1:{server.server_port}/context"
        try:
            output = project.build(path=path)
            assert project.build(path=path) == output
            project.build_in_another_deploy(path=path)
        finally:
            server.shutdown()
            thread.join()
    assert project.run(output["image"], "echo $FROM") == "afar\n"
    assert said(caplog, "Built image") == 2
    with pytest.raises(DockerInvalidRequest, match="dockerfile 'auto' needs a folder"):
        project.build(path=path, dockerfile="auto")


# What is known is not built again


def test_one_deploy_builds_an_image_once(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    first = project.build()
    assert [project.build() for _ in range(3)] == [first] * 3
    assert steps.build_docker_image(project.name, "Dockerfile", "1") == first
    assert said(caplog, "Built image") == 1


def test_threads_that_want_the_same_image_build_it_once(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    # With the settings of this test, which a thread does not have by itself.
    threads = [threading.Thread(target=contextvars.copy_context().run, args=(project.build,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(caplog, "Built image") == 1


def test_the_next_deploy_knows_the_image(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    first = project.build()
    assert project.build_in_another_deploy() == first
    assert said(caplog, "Built image") == 1
    assert said(caplog, "is up to date") == 1


def test_a_known_image_gets_the_new_names(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    first = project.build()
    second = project.build_in_another_deploy(tag="2", additional_tags=["stable"])
    assert second["image_id"] == first["image_id"]
    assert {f"{project.name}:{tag}" for tag in ("1", "2", "stable")} <= set(
        project.client.images.get(first["image_id"]).tags
    )
    assert said(caplog, "Built image") == 1


def test_an_unchanged_image_keeps_the_tag_that_was_made_for_it(project: Project) -> None:
    first = project.build(tag=None)
    assert project.build_in_another_deploy(tag=None) == first
    project.write("flow.py", "print('changed')")
    assert project.build_in_another_deploy(tag=None)["tag"] != first["tag"]


CHANGES: dict[str, dict[str, Any]] = {
    "ignore_cache": {"ignore_cache": True},
    "nocache": {"nocache": True},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_known_image_is_built_on_demand(change: str, project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.build()
    project.build_in_another_deploy(**CHANGES[change])
    assert said(caplog, "Built image") == 2


def test_a_changed_file_makes_another_build_within_one_deploy_too(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.build()
    project.write("flow.py", "print('changed')")
    project.build()
    assert said(caplog, "Built image") == 2


def test_an_ignored_file_makes_no_other_build(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.write(".dockerignore", "*.log\n")
    project.build()
    project.write("run.log", "1")
    project.build_in_another_deploy()
    assert said(caplog, "Built image") == 1


@pytest.mark.parametrize("is_same_deploy", [True, False], ids=["same-deploy", "next-deploy"])
def test_a_removed_image_is_built_again(
    is_same_deploy: bool, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.write("flow.py", project.name)  # no other test has this image
    project.client.images.remove(project.build()["image"])
    output = project.build() if is_same_deploy else project.build_in_another_deploy()
    assert project.client.images.get(output["image"]).id == output["image_id"]
    assert said(caplog, "Built image") == 2


def test_another_base_image_makes_another_build(project: Project, docker_client: Any) -> None:
    own_base = f"{project.name}-base:1"
    docker_client.images.get(project.base).tag(own_base)
    project.write("Dockerfile", f"FROM {own_base}\nCOPY flow.py /\n")
    first = project.build()
    project.write("base/Dockerfile", f"FROM {project.base}\nRUN touch /newer\n")
    project.build(image_name=f"{project.name}-base", path="base")
    assert project.build_in_another_deploy()["image_id"] != first["image_id"]


def test_a_record_that_cannot_be_read_is_no_obstacle(project: Project, tmp_path: Path) -> None:
    first = project.build()
    for record in (tmp_path / "prefect-home" / "docker-builds").iterdir():
        record.write_text("{")
    assert project.build_in_another_deploy()["image_id"] == first["image_id"]


def test_a_home_that_cannot_be_written_to_is_no_obstacle(project: Project, tmp_path: Path) -> None:
    (tmp_path / "prefect-home").mkdir(exist_ok=True)
    (tmp_path / "prefect-home" / "docker-builds").write_text("in the way")
    assert project.build()["tag"] == "1"


def test_what_a_step_returned_can_be_changed_without_harm(project: Project) -> None:
    first = project.build(additional_tags=["a"])
    assert first["additional_tags"] is not None
    first["additional_tags"].append("b")
    assert project.build(additional_tags=["a"])["additional_tags"] == ["a"]


def test_any_function_can_be_given_a_memory() -> None:
    calls: list[Any] = []

    @steps.cacheable
    def step(a: int, b: Any = 2, ignore_cache: bool = False) -> dict[str, int]:
        """Say it."""
        calls.append((a, b))
        return {"a": a}

    assert step.__doc__ == "Say it."
    assert [step(1), step(a=1), step(1, 2), step(1, ignore_cache=True), step(2)] == [{"a": 1}] * 4 + [{"a": 2}]
    assert calls == [(1, 2), (1, 2), (2, 2)]
    step(1, open)
    step(1, open)  # what cannot be compared is not remembered
    assert len(calls) == 5
    with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
        step(1, c=1)  # pyright: ignore[reportCallIssue]


# dockerfile: auto


@pytest.fixture
def auto(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without a Dockerfile."""
    project.without_dockerfile(monkeypatch)
    return project


def test_a_dockerfile_is_made_and_leaves_no_trace(auto: Project) -> None:
    output = auto.build(dockerfile="auto")
    assert auto.run(output["image"], "pwd; ls -A") == "/opt/prefect/shop\nflow.py\n"
    assert auto.files() == ["flow.py"]


def test_the_made_dockerfile_is_kept_on_demand_and_makes_no_second_build(
    auto: Project, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = {"dockerfile": "auto", "persist_dockerfile": True, "dockerfile_output_path": "Dockerfile.mine"}
    auto.build(**inputs)
    assert (auto.folder / "Dockerfile.mine").read_text().startswith(f"FROM {auto.name}-prefect:1\n")
    auto.build_in_another_deploy(**inputs)
    assert said(caplog, "Built image") == 1


def test_a_failed_build_leaves_nothing_behind(
    auto: Project, docker_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    auto.write("requirements.txt", "no-such-thing")  # and busybox has no uv
    with pytest.raises(ImageBuildFailed, match=r"Step 3/6 : RUN uv pip install"):
        auto.build(dockerfile="auto", persist_dockerfile=True)
    assert auto.files() == ["flow.py", "requirements.txt"]
    (container,) = re.findall("Running in ([0-9a-f]+)", capsys.readouterr().out)
    assert not [found for found in docker_client.api.containers(all=True) if found["Id"].startswith(container)]


def test_auto_does_not_pass_over_a_dockerfile(project: Project) -> None:
    with pytest.raises(DockerInvalidRequest, match=r"dockerfile 'auto' makes a Dockerfile, but .* has one"):
        project.build(dockerfile="auto")


# Failures


def test_a_failing_command_is_told_with_its_step(project: Project) -> None:
    project.dockerfile("FROM {base}\nRUN echo one\nRUN echo oh && exit 3\n")
    with pytest.raises(
        BuildError, match=r"'Step 3/4 : RUN echo oh && exit 3': The command .* non-zero code: 3"
    ) as caught:
        project.build()
    assert isinstance(caught.value, ImageBuildFailed)
    assert project.name in str(caught.value)


def test_a_dockerfile_that_is_none_is_told_in_the_engines_words(project: Project) -> None:
    project.dockerfile("NONSENSE {base}\n")
    with pytest.raises(BuildError, match="unknown instruction: NONSENSE"):
        project.build()


def test_what_needs_buildkit_says_how_to_get_it(project: Project) -> None:
    project.dockerfile("FROM {base}\nRUN --mount=type=cache,target=/c echo one\n")
    with pytest.raises(BuildError, match="Add 'build_backend: buildx' to the step"):
        project.build()


def test_no_engine_is_told_as_such(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(DockerUnavailable, match=r"none\.sock"):
        project.build()


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"image_name": "Shop"}, "image_name"),
        ({"tag": "a b"}, "tag"),
        ({"additional_tags": "a"}, "additional_tags"),
        ({"dockerfile": "Dockerfile.none"}, "dockerfile"),
        ({"dockerfile": None}, "dockerfile"),
        ({"build_backend": "podman"}, "build_backend"),
        ({"ignore_cache": "perhaps"}, "ignore_cache"),
        ({"nocache": "perhaps"}, "nocache"),
        ({"path": "nowhere"}, "path"),
        ({"no_cache": True}, "no_cache"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_bad_input_is_refused_before_an_engine_is_asked(
    inputs: dict[str, Any], field: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(DockerInvalidRequest, match=field):
        project.build(**inputs)


# Warnings


def test_a_large_context_is_warned_about(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(build_context, "LARGE_BYTES", 100_000)
    project.write("data/big.bin", "x" * 200_000)
    project.build()
    assert said(caplog, "Largest: data/big.bin (200 kB)") == 1
    project.write(".dockerignore", "data")
    project.build(ignore_cache=True)
    assert said(caplog, "Largest:") == 1


def test_a_secret_among_the_build_arguments_is_warned_about_and_not_repeated(
    project: Project, canary: str, no_canary_leaks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    project.dockerfile("FROM {base}\nARG PIP_TOKEN\nRUN echo using $PIP_TOKEN && exit 1\n")
    with pytest.raises(BuildError) as caught:
        project.build(buildargs={"PIP_TOKEN": canary})
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.add("the memory", repr(steps.STEP_OUTPUT_CACHE))
    no_canary_leaks.check()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["PIP_TOKEN looks like a secret" in record.getMessage() for record in warnings] == [True]
    assert "secrets" in warnings[0].getMessage()


def test_records_hold_no_secret(project: Project, canary: str, tmp_path: Path) -> None:
    project.build(buildargs={"PIP_TOKEN": canary})
    records = list((tmp_path / "prefect-home" / "docker-builds").iterdir())
    assert records
    assert all(canary not in record.read_text() + record.name for record in records)
    assert os.listdir(tmp_path / "prefect-home" / "docker-builds") == [record.name for record in records]
