"""Run `prefect worker start` until it asks for scheduled flow runs the first time, and print what it took until then.

Arguments: type of the worker, name of its work pool, URL of the Prefect API.
"""

import json
import os
import sys
import threading

from _commands import prefect
from _process import age_seconds, cpu_seconds, peak_mib, resident_mib
from _requests import Requests


def main(kind: str, pool: str) -> None:
    """Start and measure; the process ends at the first poll."""
    requests = Requests(os.environ["PREFECT_API_URL"])
    requests.watch_httpx()

    def hear(_method: str, url: str) -> None:
        if not url.endswith("/get_scheduled_flow_runs"):
            return
        measured = {
            "wall_s": age_seconds(),
            "cpu_s": cpu_seconds(),
            "rss_mib": resident_mib(),
            "peak_mib": peak_mib(),
            "modules": len(sys.modules),
            "threads": threading.active_count(),
            "calls": requests.counts["prefect"] - 1,  # but for this one
        }
        os.write(1, b"\n" + json.dumps(measured).encode() + b"\n")
        os._exit(0)

    requests.on_request.append(hear)
    sys.stdout = sys.stderr
    raise SystemExit(
        "The worker ended before it asked for flow runs: "
        + prefect(*("worker", "start", "--pool", pool, "--type", kind, "--install-policy", "never"))
    )


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = sys.argv[3]
    main(sys.argv[1], sys.argv[2])
