"""Run flow runs through the Cloud Run worker, all at the same time, and print threads and time.

Arguments: how many runs, URL of the Prefect API, address of the local Cloud Run, file with a service account's key.
"""

import asyncio
import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any


def lead_to(endpoint: str) -> None:
    """Lead requests for Google's own address to the local server, where a package has no setting for it."""
    import httplib2

    send = httplib2.Http.request

    def request(self: Any, uri: str, *args: Any, **kwargs: Any) -> Any:
        scheme, _, rest = uri.partition("://")
        host, slash, path = rest.partition("/")
        if scheme == "https" and host.endswith("run.googleapis.com"):
            uri = f"{endpoint}{slash}{path}"
        response, content = send(self, uri, *args, **kwargs)
        answer = json.loads(content or b"{}")
        if "/jobs/" in answer.get("name", "") and "terminalCondition" in answer:
            # The local server leaves out what is empty; the published package needs it to be there.
            content = json.dumps({"latestCreatedExecution": {}, **answer}).encode()
        return response, content

    httplib2.Http.request = request


async def main(runs: int, endpoint: str, key: dict[str, Any]) -> dict[str, float]:
    """Run and measure."""
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.states import Completed
    from prefect.utilities.templating import apply_values

    from prefect_gcp.credentials import GcpCredentials
    from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2

    @flow
    def measured() -> None:
        pass

    own = {"api_endpoints": {"run": endpoint}} if "api_endpoints" in GcpCredentials.model_fields else {}
    if not own:
        lead_to(endpoint)
    credentials = GcpCredentials(service_account_info=key, project=key["project_id"], **own)
    template = CloudRunWorkerV2.get_default_base_job_template()
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
        await client.create_work_pool(WorkPoolCreate(name=pool, type="cloud-run-v2", base_job_template=template))
        work_pool = await client.read_work_pool(pool)

        async def one(worker: Any) -> int:
            flow_run = await client.create_flow_run(measured, work_pool_name=pool)
            values = {**defaults, "credentials": credentials, "image": "busybox:dev", "name": f"run-{uuid.uuid4().hex}"}
            rendered = apply_values(template["job_configuration"], values)
            configuration = CloudRunWorkerV2.job_configuration(**rendered)
            configuration.prepare_for_flow_run(flow_run, work_pool=work_pool)
            await client.set_flow_run_state(flow_run.id, Completed(), force=True)
            return (await worker.run(flow_run, configuration)).status_code

        async with CloudRunWorkerV2(work_pool_name=pool) as worker:
            counting = asyncio.create_task(count_threads())
            began = time.perf_counter()
            ends = await asyncio.gather(*(one(worker) for _ in range(runs)), return_exceptions=True)
            wall = time.perf_counter() - began
            ended.set()
            await counting
    for end in ends:
        if isinstance(end, BaseException):
            print(repr(end)[:1000], file=sys.stderr)
    return {"wall_s": wall, "threads": most, "failed": sum(end != 0 for end in ends)}


if __name__ == "__main__":
    count, api_url, address, key_file = sys.argv[1:]
    os.environ["PREFECT_API_URL"] = api_url
    print(json.dumps(asyncio.run(main(int(count), address, json.loads(Path(key_file).read_text())))))
