"""Submit flow runs of one deployment through the ECS worker, and print times, AWS calls and the memory that stays.

Arguments: how many runs, how many at a time (0: all), launch type, endpoint of AWS, URL of the Prefect API.
"""

import asyncio
import collections
import gc
import json
import os
import sys
import time
import uuid
from pathlib import Path


def resident_mib() -> float:
    """Memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Status:
    """Hears what Prefect's worker would hear."""

    def started(self, value: object) -> None:
        pass


def count_calls() -> collections.Counter:
    """Count HTTP requests to AWS by operation, where boto3 sends them."""
    from botocore.httpsession import URLLib3Session

    counts = collections.Counter()
    send = URLLib3Session.send

    def counted(self, request):
        counts[str(request.headers.get("X-Amz-Target", b"?"))] += 1
        return send(self, request)

    URLLib3Session.send = counted
    return counts


async def main(runs: int, together: int, launch_type: str, endpoint: str) -> dict[str, float]:
    """Submit and measure."""
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    from prefect_aws import AwsCredentials
    from prefect_aws.client_parameters import AwsClientParameters
    from prefect_aws.workers import ECSWorker

    credentials = AwsCredentials(
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret",
        region_name="us-east-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=endpoint),
    )

    @flow
    def measured() -> None:
        pass

    pool = f"bench-{uuid.uuid4().hex[:8]}"
    template = ECSWorker.get_default_base_job_template()
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=pool, type="ecs", base_job_template=template))
        flow_id = await client.create_flow(measured)
        deployment_id = await client.create_deployment(flow_id, "bench", work_pool_name=pool)
        first = await client.create_flow_run_from_deployment(deployment_id)
        deployment = await client.read_deployment(deployment_id)
    counts = count_calls()
    gate = asyncio.Semaphore(together or runs)

    async with ECSWorker(work_pool_name=pool) as worker:

        async def submit(run) -> None:
            async with gate:
                await worker.run(run, prepared[run.id], task_status=Status())

        prepared, flow_runs = {}, []
        for _number in range(runs + 1):
            run = first.model_copy(update={"id": uuid.uuid4()})
            configuration = await ECSWorker.job_configuration.from_template_and_values(
                template, {"launch_type": launch_type, "cluster": "c", "image": "i"}
            )
            configuration.aws_credentials = credentials
            configuration.prepare_for_flow_run(run, deployment=deployment)
            prepared[run.id] = configuration
            flow_runs.append(run)
        await submit(flow_runs.pop())  # imports, the client, the first registration
        gc.collect()
        before, registered = resident_mib(), counts.total()
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(submit, flow_runs))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        gc.collect()
        return {
            "per_second": runs / wall,
            "wall_s": wall,
            "cpu_s": cpu,
            "calls": (counts.total() - registered) * 1000 / runs,
            "growth_mib": resident_mib() - before,
        }


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = sys.argv[5]
    os.environ["PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED"] = "false"
    # The published observer wants a queue all the same.
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t"}
    os.environ["AWS_ENDPOINT_URL"] = sys.argv[4]
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))))
