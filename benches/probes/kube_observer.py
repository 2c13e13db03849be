"""Start the observer of Kubernetes pods, wait until it has nothing more to do, and print what that took.

Arguments: how many flow runs there are (not used), kubeconfig, URL of the Prefect API, URL of the Kubernetes API.
"""

import collections
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

IDLE_SECONDS = 5.0
IDLE_CPU_SECONDS = 0.1  # in one look; timers of an idle process use less
LOOK_SECONDS = 1.0


def resident_mib() -> float:
    """Memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def count_calls(kubernetes_url: str) -> collections.Counter:
    """Count requests: aiohttp's go to Kubernetes, httpx's to Prefect."""
    import aiohttp
    import httpx

    counts = collections.Counter()
    request, send = aiohttp.ClientSession._request, httpx.AsyncClient.send  # noqa: SLF001 - all methods go through it

    async def counted_request(self, method, url, **options):
        counts["kube" if str(url).startswith(kubernetes_url) or not str(url).startswith("http") else "other"] += 1
        return await request(self, method, url, **options)

    async def counted_send(self, *args, **options):
        counts["prefect"] += 1
        return await send(self, *args, **options)

    aiohttp.ClientSession._request, httpx.AsyncClient.send = counted_request, counted_send  # noqa: SLF001 - the same
    return counts


def main(kubernetes_url: str) -> dict[str, float]:
    """Start, wait, measure."""
    import prefect.client.orchestration  # noqa: F401 - what every process of Prefect has loaded

    counts = count_calls(kubernetes_url)
    gc.collect()
    before, began, cpu_before = resident_mib(), time.perf_counter(), time.process_time()
    from prefect_kubernetes.observer import start_observer, stop_observer

    start_observer()
    busy_at, busy_cpu = time.perf_counter(), time.process_time()
    cpu, calls = busy_cpu, 0
    while time.perf_counter() - busy_at < IDLE_SECONDS:
        time.sleep(LOOK_SECONDS)
        now, total = time.process_time(), counts.total()
        if now - cpu > IDLE_CPU_SECONDS or total != calls:
            busy_at, busy_cpu = time.perf_counter(), now
        cpu, calls = now, total
    gc.collect()
    values = {
        "wall_s": busy_at - began,
        "cpu_s": busy_cpu - cpu_before,
        "kube_calls": counts["kube"],
        "prefect_calls": counts["prefect"],
        "growth_mib": resident_mib() - before,
    }
    threading.Thread(target=stop_observer, daemon=True).start()
    return values


if __name__ == "__main__":
    os.environ["KUBECONFIG"] = sys.argv[2]
    os.environ["PREFECT_API_URL"] = sys.argv[3]
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    print(json.dumps(main(sys.argv[4])), flush=True)
    os._exit(0)  # whatever the observer's threads still wait for
