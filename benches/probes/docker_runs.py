"""Run containers of flow runs through the Docker worker, and print when they started and when their end was seen.

Arguments: how many runs, URL of the Prefect API, address of the Docker engine, image.
"""

import asyncio
import json
import os
import statistics
import sys
import threading
import time
import uuid
from datetime import datetime, timezone

COMMAND = "sh -c 'echo one; sleep 1; echo two; sleep 1'"


def seconds_of(text: str) -> float:
    """Epoch seconds of a time as the engine writes it."""
    whole, _, rest = text.rstrip("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return moment.timestamp() + float(f"0.{rest or 0}")


async def main(runs: int, image: str) -> dict[str, float]:
    """Run and measure."""
    import docker
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    from prefect_docker.worker import DockerWorker

    seen: dict[str, float] = {}
    threads: list[int] = []

    class Measured(DockerWorker):
        """Notes when `run` returns."""

        type = "docker-measured"

        async def run(self, flow_run, configuration, task_status=None):
            result = await super().run(flow_run, configuration, task_status=task_status)
            seen[result.identifier.rpartition(":")[2]] = time.time()
            threads.append(threading.active_count())
            return result

    @flow
    def measured() -> None:
        pass

    pool = f"bench-{uuid.uuid4().hex[:8]}"
    template = DockerWorker.get_default_base_job_template()
    variables = {
        "image": image,
        "image_pull_policy": "Never",
        "command": COMMAND,
        "network_mode": "none",
        "labels": {"prefect-bench": pool},
    }
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=pool, type="docker", base_job_template=template))
        flow_id = await client.create_flow(measured)
        deployment_id = await client.create_deployment(flow_id, pool, work_pool_name=pool, job_variables=variables)

        async with Measured(work_pool_name=pool) as worker:
            await worker.sync_with_backend()
            for _number in range(runs):
                await client.create_flow_run_from_deployment(deployment_id)
            began, cpu = time.time(), time.process_time()
            while len(seen) < runs:
                await worker.get_and_submit_flow_runs()
                await asyncio.sleep(0.2)
            cpu = time.process_time() - cpu

    engine = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    started, late = [], []
    for container in engine.containers.list(all=True, filters={"label": f"prefect-bench={pool}"}):
        state = container.attrs["State"]
        started.append(seconds_of(state["StartedAt"]) - began)
        late.append(seen[container.id] - seconds_of(state["FinishedAt"]))
    assert len(started) == runs, f"{len(started)} containers for {runs} runs"
    return {
        "start_s": statistics.median(started),
        "last_start_s": max(started),
        "seen_s": statistics.median(late),
        "last_seen_s": max(late),
        "cpu_s": cpu,
        "threads": max(threads),
    }


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = sys.argv[2]
    os.environ["DOCKER_HOST"] = sys.argv[3]
    os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    measurements = asyncio.run(main(int(sys.argv[1]), sys.argv[4]))
    print(json.dumps(measurements))
