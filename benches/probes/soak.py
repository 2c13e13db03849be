"""Keep a worker with long flow runs for a day of its own clock, and print what every hour cost.

Arguments: kind of worker, how many runs, how many hours, URL of the Prefect API, and what `CLOUDS` says of the kind.
"""

from _warp import Warp

warp = Warp()
warp.install()

# ruff: noqa: E402 - whatever is imported from here on reads the clock
import asyncio
import gc
import json
import os
import sys
import threading
import time
import uuid
from importlib import import_module
from typing import Any

from _process import cpu_seconds, resident_mib
from _requests import Requests
from worker_runs import CLASSES, CLOUDS, Ends

HOUR = 3600.0
QUEUE_SECONDS = 20.0  # how long a worker lets SQS wait for a message
SETTLED_HOURS = 2
CLIENTS = {
    "ecs": ("urllib3",),
    "azure-container-instance": ("urllib3",),
    "cloud-run": ("httplib2", "urllib3"),
    "cloud-run-v2": ("httplib2", "urllib3"),
    "vertex-ai": ("grpc.aio",),
    "docker": ("urllib3",),
    "kubernetes": ("aiohttp",),
    "snowpark-container-service": ("snowflake.connector",),
}


def keep_time(requests: Requests) -> None:
    """Let the clock stand while a request is under way, but for those that last for as long as the server likes."""

    def lasts(url: str) -> bool:
        return "watch=" in url or "/events" in url or "follow=" in url

    requests.on_request.append(lambda _method, url: None if lasts(url) else warp.begin())
    requests.on_answer.append(lambda _method, url: None if lasts(url) else warp.end())
    # The local queue answers at once: its seconds pass here, when nobody else has anything to do.
    requests.on_answer.append(lambda _method, url: warp.sleep(QUEUE_SECONDS) if "ReceiveMessage" in url else None)


async def main(kind: str, runs: int, hours: int, variables: dict[str, Any], requests: Requests) -> dict[str, float]:
    """Run and measure."""
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    module, _, name = CLASSES[kind].partition(":")
    worker_class = getattr(import_module(module), name)
    ends = Ends(os.environ["PREFECT_API_URL"], states=("Running",))
    ends.listen(worker_class)

    @flow
    def measured() -> None:
        pass

    pool = f"soak-{uuid.uuid4().hex[:8]}"
    values: dict[str, float] = {}
    requests.watch(*CLIENTS[kind])
    keep_time(requests)
    async with get_client() as client:
        template = worker_class.get_default_base_job_template()
        await client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=template))
        flow_id = await client.create_flow(measured)
        deployment_id = await client.create_deployment(flow_id, pool, work_pool_name=pool, job_variables=variables)
        worker = worker_class(work_pool_name=pool)
        await worker.__aenter__()  # it is never left: its runs would have to end
        await worker.sync_with_backend()
        for _number in range(runs):
            await client.create_flow_run_from_deployment(deployment_id)
        began, real = time.monotonic(), time.perf_counter()
        cpu = cpu_seconds()
        for hour in range(1, hours + 1):
            before = requests.counts.copy()
            while time.monotonic() < began + hour * HOUR:
                await worker.get_and_submit_flow_runs()
                await asyncio.sleep(min(HOUR / 12, max(0.0, began + hour * HOUR - time.monotonic())))
            gc.collect()
            values[f"rss_mib_{hour:02}"] = resident_mib()
            values[f"cloud_{hour:02}"] = requests.counts["cloud"] - before["cloud"]
            values[f"prefect_{hour:02}"] = requests.counts["prefect"] - before["prefect"]
            print(f"{hour} h: {values}", file=sys.stderr) if hour in (1, SETTLED_HOURS, hours) else None
    values |= {
        "cpu_s": cpu_seconds() - cpu,
        "took_s": time.perf_counter() - real,
        "threads": threading.active_count(),
        "lost": ends.returned,
        "growth_mib": values[f"rss_mib_{hours:02}"] - values[f"rss_mib_{min(SETTLED_HOURS, hours):02}"],
        "first_cloud": values[f"cloud_{min(SETTLED_HOURS, hours):02}"],
        "last_cloud": values[f"cloud_{hours:02}"],
        "first_prefect": values[f"prefect_{min(SETTLED_HOURS, hours):02}"],
        "last_prefect": values[f"prefect_{hours:02}"],
    }
    if os.environ.get("BENCH_SHOW_CALLS"):
        for path, times in requests.paths.most_common(25):
            print(f"{times:6} {path}", file=sys.stderr)
        print(ends.failures[:5], file=sys.stderr)
    return values


if __name__ == "__main__":
    given_kind, count, how_long, api_url, *rest = sys.argv[1:]
    os.environ["PREFECT_API_URL"] = api_url
    os.environ["PREFECT_LOGGING_LEVEL"] = os.environ.get("BENCH_LOG", "CRITICAL")
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    found = asyncio.run(main(given_kind, int(count), int(how_long), CLOUDS[given_kind](*rest), Requests(api_url)))
    print(json.dumps(found), flush=True)
    os._exit(0)  # with all that is still under way
