"""The way to a cluster leads nowhere, or to somebody who is not Ray; the clock jumps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import HttpEdge
from prefect_ray import RayTaskRunner
from prefect_ray._connection import check_address
from prefect_ray.errors import RayClusterUnavailable


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def until(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


@pytest.mark.parametrize(
    "address", [f"ray://{UNRESOLVABLE_HOST}:10001", f"{UNRESOLVABLE_HOST}:6379"], ids=["client", "cluster"]
)
def test_a_host_that_nobody_knows_is_named(address: str) -> None:
    with pytest.raises(RayClusterUnavailable, match=UNRESOLVABLE_HOST):
        check_address(address)


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    runner: RayTaskRunner[Any], seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    real = time.time

    @flow(task_runner=runner)
    def jumps() -> int:
        first = add.submit(1)
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        waiting = until.submit(tmp_path / "go")
        waiting.wait(timeout=0.3)
        assert not waiting.is_ready
        (tmp_path / "go").touch()
        waiting.result()
        second = add.submit(first)  # pyright: ignore[reportArgumentType]
        found = second.result()
        monkeypatch.setattr(time, "time", real)
        return found

    assert jumps() == 3


CLIENT = """
import sys
from prefect_ray import RayTaskRunner

try:
    with RayTaskRunner(address=sys.argv[1]):
        pass
except Exception as exc:
    print(type(exc).__name__, exc)
"""


@pytest.mark.parametrize("server", ["of another authority", "without TLS"])
def test_a_cluster_that_fails_to_speak_tls_is_told(
    server: str, private_ca: PrivateCA, tmp_path: Path, http_edge: Callable[..., HttpEdge]
) -> None:
    """Before anything of Ray is said, so that any server will do."""
    theirs = private_ca.issue("theirs", "127.0.0.1").server_context()
    edge = http_edge("http://127.0.0.1:9", context=theirs if server == "of another authority" else None)
    authority = PrivateCA(tmp_path)
    ours = authority.issue("ours", "127.0.0.1")
    environment = {
        **os.environ,
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(ours.cert_file),
        "RAY_TLS_SERVER_KEY": str(ours.key_file),
        "RAY_TLS_CA_CERT": str(authority.ca_file),
        "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "1",
        "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "1",
    }
    address = f"ray://127.0.0.1:{edge.port}"
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, address],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.startswith(f"RayClusterUnavailable No Ray cluster answers at {address!r}"), done.stderr[-2000:]
    why = "certificate verify failed" if server == "of another authority" else "SSL"
    assert re.search(rf"TLS fails: .*{why}.*RAY_TLS_CA_CERT", done.stdout)
    assert [call.path for call in edge.calls] == []
