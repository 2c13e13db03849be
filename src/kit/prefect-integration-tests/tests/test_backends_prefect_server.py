"""A Prefect server is reached by processes and by containers, and keeps its data when it is restarted."""

from __future__ import annotations

import httpx
import pytest

from prefect_integration_tests.backends.prefect_server import PrefectServer

pytestmark = pytest.mark.xdist_group("docker")

FLOW = """
from prefect import flow, task

@task
def double(x):
    return 2 * x

@flow
def report(n: int):
    return sum(double.map(range(n)).result())

assert report(3) == 6
"""


def states_of(server: PrefectServer, flow: str) -> list[str]:
    wanted = {"flows": {"name": {"any_": [flow]}}}
    with httpx.Client(trust_env=False, base_url=server.api_url, timeout=30) as client:
        return [run["state_type"] for run in client.post("/flow_runs/filter", json=wanted).json()]


@pytest.mark.slow
def test_data_survive_a_restart(reachable_prefect_server: PrefectServer):
    server = reachable_prefect_server
    with httpx.Client(trust_env=False, timeout=30) as client:
        client.post(f"{server.api_url}/flows/", json={"name": "before-the-restart"}).raise_for_status()
        server.process.kill()
        server.process.restart()
        assert client.get(f"{server.api_url}/flows/name/before-the-restart").json()["name"] == "before-the-restart"


def test_a_flow_runs_in_an_ecs_task(
    docker_engine, prefect_image, ecs_emulator, reachable_prefect_server: PrefectServer
):
    from prefect_integration_tests.backends.docker_images import image_with_files

    image = image_with_files(docker_engine, prefect_image("prefect-integration-kit"), {"/opt/flows/report.py": FLOW})
    definition = ecs_emulator.register(
        image,
        ["python", "/opt/flows/report.py"],
        environment=[{"name": "PREFECT_API_URL", "value": reachable_prefect_server.api_url}],
    )
    arn = ecs_emulator.run(definition)
    assert ecs_emulator.wait(arn, timeout_seconds=100)["containers"][0]["exitCode"] == 0
    assert states_of(reachable_prefect_server, "report") == ["COMPLETED"]
