"""Run flow runs through the Container Instances worker, all at the same time; print threads, time, and lines lost.

Arguments: how many runs, how many lines each prints, URL of the Prefect API, address of the local Azure.
"""

import asyncio
import io
import json
import os
import re
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


class Token:
    """Gives one token for everything."""

    def get_token(self, *_: str, **__: Any) -> Any:
        """Give the token."""
        from azure.core.credentials import AccessToken

        return AccessToken("token", int(time.time()) + 3600)


def client_options(endpoint: str) -> dict[str, Any]:
    """Options of SDK clients that talk to the local server, which has no TLS."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class Bearer(SansIOHTTPPolicy):  # type: ignore[type-arg]
        def on_request(self, request: Any) -> None:
            request.http_request.headers["Authorization"] = "Bearer token"

    return {"credential": Token(), "base_url": endpoint, "authentication_policy": Bearer()}


async def main(runs: int, lines: int, endpoint: str) -> dict[str, float]:
    """Run and measure."""
    from azure.mgmt.containerinstance import ContainerInstanceManagementClient
    from azure.mgmt.resource import ResourceManagementClient
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.states import Completed
    from prefect.utilities.templating import apply_values

    from prefect_azure.credentials import AzureContainerInstanceCredentials
    from prefect_azure.workers.container_instance import AzureContainerWorker

    class LocalCredentials(AzureContainerInstanceCredentials):
        """What both packages ask for their clients."""

        _block_type_slug = "bench-container-instance-credentials"

        def get_container_client(self, subscription_id: str) -> Any:
            return ContainerInstanceManagementClient(subscription_id=subscription_id, **client_options(endpoint))

        def get_resource_client(self, subscription_id: str) -> Any:
            return ResourceManagementClient(subscription_id=subscription_id, **client_options(endpoint))

    @flow
    def measured() -> None:
        pass

    template = AzureContainerWorker.get_default_base_job_template()
    properties = template["variables"]["properties"]
    defaults = {name: value["default"] for name, value in properties.items() if value.get("default") is not None}
    pool = f"bench-{uuid.uuid4().hex[:8]}"
    most, ended = 0, asyncio.Event()

    async def count_threads() -> None:
        nonlocal most
        while not ended.is_set():
            most = max(most, threading.active_count())
            await asyncio.sleep(0.05)

    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name=pool, type=AzureContainerWorker.type, base_job_template=template)
        )
        work_pool = await client.read_work_pool(pool)

        async def one(worker: Any) -> int:
            flow_run = await client.create_flow_run(measured, work_pool_name=pool)
            values = {
                **defaults,
                "image": "busybox:dev",
                "name": f"run-{uuid.uuid4().hex}",
                "resource_group_name": "bench",
                "subscription_id": SUBSCRIPTION,
                "stream_output": lines > 0,
            }
            rendered = apply_values(template["job_configuration"], values)
            configuration = AzureContainerWorker.job_configuration(**rendered)
            configuration.aci_credentials = LocalCredentials()
            configuration.prepare_for_flow_run(flow_run, work_pool=work_pool)
            await client.set_flow_run_state(flow_run.id, Completed(), force=True)
            return (await worker.run(flow_run, configuration)).status_code

        async with AzureContainerWorker(work_pool_name=pool) as worker:
            counting = asyncio.create_task(count_threads())
            began = time.perf_counter()
            ends = await asyncio.gather(*(one(worker) for _ in range(runs)), return_exceptions=True)
            wall = time.perf_counter() - began
            ended.set()
            await counting
    for end in ends:
        if isinstance(end, BaseException):
            print(repr(end)[:1000], file=sys.__stderr__)
    return {"wall_s": wall, "threads": most, "failed": sum(end != 0 for end in ends)}


if __name__ == "__main__":
    count, printed, api_url, address = sys.argv[1:]
    os.environ["PREFECT_API_URL"] = api_url
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        measured = asyncio.run(main(int(count), int(printed), address))
    times = Counter(re.findall(r"\bline \d+$", said.getvalue(), re.MULTILINE))
    measured["lines_lost"] = int(printed) - len(times)
    measured["lines_twice"] = sum(number > 1 for number in times.values())
    print(json.dumps(measured))
