"""Say whether the worker of this container is healthy: exit code 0 if it is, 1 if it is not.

It passes on the answer of `prefect worker start --with-healthcheck`. A container that runs something else, such as a
flow or a worker without that option, has nobody to ask, and counts as healthy for as long as it runs.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PORT = "8080"
HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""Addresses that a server listens on and no client connects to, and what a client takes in their place."""
SECONDS = 5.0


def workers(processes: Path) -> Iterator[tuple[str, int]]:
    """Find the workers that answer: the address of each and its port.

    Args:
        processes: The folder `/proc`.
    """
    for process in processes.glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if ("worker", "start") not in pairwise(arguments) or "--with-healthcheck" not in arguments:
                continue
            lines = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or belongs to another user
            continue
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        host = environment.get("PREFECT_WORKER_WEBSERVER_HOST", "")
        yield HERE.get(host, host), int(environment.get("PREFECT_WORKER_WEBSERVER_PORT", PORT))


def answer(host: str, port: int) -> tuple[bool, str]:
    """Ask one worker: whether it is healthy, and what it says.

    Args:
        host: Its address.
        port: Its port.
    """
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        return response.status == http.client.OK, response.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        return False, f"no answer at {host}:{port}: {exc}"
    finally:
        connection.close()


def main(processes: Path = Path("/proc")) -> int:
    """Ask every worker of the container.

    Args:
        processes: The folder `/proc`.
    """
    answers = [answer(host, port) for host, port in workers(processes)]
    for _, words in answers:
        print(words)
    if not answers:
        print("no worker serves its health here: it runs without --with-healthcheck, or this is no worker")
    return 0 if all(healthy for healthy, _ in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
