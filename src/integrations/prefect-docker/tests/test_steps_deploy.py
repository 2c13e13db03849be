"""The steps where they belong: in a `prefect.yaml`, run by `prefect deploy`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.steps.core import StepExecutionError, run_steps
from prefect.testing.cli import invoke_and_assert

from prefect_docker import DockerRegistryCredentials
from prefect_docker.deployments import steps

from ._projects import Project, new_project

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("prefect_harness")]

PREFECT_YAML = """
name: shop
build:
  - prefect_docker.deployments.steps.build_docker_image:
      id: build-image
      requires: prefect-docker
      image_name: {name}
      tag: v1
      additional_tags: [stable]
      labels: {{team: shop}}
push:
  - prefect_docker.deployments.steps.push_docker_image:
      requires: prefect-docker
      image_name: "{{{{ build-image.image_name }}}}"
      tag: "{{{{ build-image.tag }}}}"
      additional_tags: "{{{{ build-image.additional_tags }}}}"
      credentials: "{{{{ prefect.blocks.docker-registry-credentials.{block} }}}}"
pull: []
deployments:
  - name: one
    entrypoint: flow.py:orders
    work_pool: &pool
      name: {pool}
      job_variables:
        image: "{{{{ build-image.image }}}}"
  - name: two
    entrypoint: flow.py:orders
    work_pool: *pool
"""

TEMPLATE = {
    "job_configuration": {"image": "{{ image }}"},
    "variables": {"type": "object", "properties": {"image": {"type": "string"}}},
}


@pytest.fixture
def project(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: Any,
    docker_client: Any,
    busybox_image: str,
    docker_registry: Any,
    prefect_harness: None,
) -> Iterator[Project]:
    with new_project(tmp_path, monkeypatch, docker_client, busybox_image) as project:
        project.name = f"{docker_registry.host}/{project.name}"
        yield project


def deploy() -> str:
    """Run `prefect deploy --all` as a process that has built nothing yet, and return what it prints."""
    steps.STEP_OUTPUT_CACHE.clear()
    return invoke_and_assert(["--no-prompt", "deploy", "--all"]).output


@pytest.mark.timeout(240)
def test_a_deploy_builds_and_pushes_once_for_all_deployments_and_the_next_one_builds_nothing(
    project: Project, docker_registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    unique = uuid.uuid4().hex
    DockerRegistryCredentials(
        username=docker_registry.username, password=docker_registry.password, registry_url=docker_registry.host
    ).save(f"steps-{unique}")
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=f"steps-{unique}", type="docker", base_job_template=TEMPLATE))
    flow = f"orders-{unique}"
    project.write("flow.py", f"from prefect import flow\n\n@flow(name='{flow}')\ndef orders():\n    pass\n")
    project.write(
        "prefect.yaml", PREFECT_YAML.format(name=project.name, block=f"steps-{unique}", pool=f"steps-{unique}")
    )

    said = deploy()
    assert said.count("Successfully tagged") == 1
    assert said.count(f"The push refers to repository [{project.name}]") == 2  # once for each tag
    assert docker_registry.password not in said + caplog.text
    with get_client(sync_client=True) as client:
        for name in ("one", "two"):
            deployment = client.read_deployment_by_name(f"{flow}/{name}")
            assert deployment.job_variables["image"] == f"{project.name}:v1"
    for tag in ("v1", "stable"):
        project.client.api.inspect_distribution(f"{project.name}:{tag}", auth_config=docker_registry.auth_config)

    assert "Successfully tagged" not in deploy()
    assert caplog.text.count("is up to date") == 1


async def test_a_failing_build_ends_the_deploy_with_its_reason(project: Project) -> None:
    project.dockerfile("FROM {base}\nRUN exit 4\n")
    step = {"prefect_docker.deployments.steps.build_docker_image": {"image_name": project.name, "tag": "1"}}
    with pytest.raises(StepExecutionError) as caught:
        await run_steps([step], print_function=lambda *_, **__: None)
    assert "'Step 2/3 : RUN exit 4'" in str(caught.value.__cause__)
