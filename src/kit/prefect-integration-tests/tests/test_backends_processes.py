"""Local servers start, say why they do not, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prefect_integration_tests.backends.processes import (
    LocalServer,
    ServerError,
    accepts_connections,
    answers_http,
    find_program,
    free_port,
)


def http_server(port: int, **options: object) -> LocalServer:
    argv = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return LocalServer(argv, lambda: answers_http(f"http://127.0.0.1:{port}/"), **options)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    """A zombie of somebody else's is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_port_is_given_twice():
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50


def test_a_server_answers_inside_its_block_and_not_after_it():
    port = free_port()
    with http_server(port) as server:
        assert server.is_running
        assert answers_http(f"http://127.0.0.1:{port}/")
    assert server.pid is None
    assert not accepts_connections(port)


def test_a_killed_server_comes_back_on_its_port():
    port = free_port()
    with http_server(port) as server:
        first = server.pid
        server.kill()
        assert not accepts_connections(port)
        server.restart()
        assert server.pid != first
        assert accepts_connections(port)


def test_a_server_that_ends_early_says_what_it_wrote():
    argv = [sys.executable, "-c", "print('no such table: users'); raise SystemExit(3)"]
    with pytest.raises(ServerError, match=r"ended with code 3(?s:.)*no such table: users"):
        LocalServer(argv, lambda: False, name="shop").start()


def test_a_server_that_is_never_ready_is_killed(tmp_path: Path):
    pids: list[int] = []
    argv = [sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(600)"]
    log = tmp_path / "log"
    server = LocalServer(argv, lambda: False, log_path=log, start_timeout_seconds=1)
    server._is_ready = lambda: bool(pids.append(server.pid or 0))
    with pytest.raises(ServerError, match=r"not ready after 1 seconds:\nwaiting"):
        server.start()
    assert not is_alive(pids[0])


def test_a_missing_program_is_named():
    with pytest.raises(ServerError, match="no-such-program"):
        LocalServer(["/no-such-program"], lambda: True).start()
    with pytest.raises(ServerError, match="pip install some-distribution"):
        find_program("no-such-program", distribution="some-distribution")


def test_grandchildren_and_those_who_ignore_sigterm_end_too(tmp_path: Path):
    pid_file = tmp_path / "pid"
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    parent = (
        "import pathlib, subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(p.pid)); time.sleep(600)"
    )
    ready = lambda: pid_file.exists() and pid_file.read_text().isdigit()  # noqa: E731
    with LocalServer([sys.executable, "-c", parent], ready, stop_timeout_seconds=0.3):
        grandchild = int(pid_file.read_text())
        assert is_alive(grandchild)
    wait_until(lambda: not is_alive(grandchild))


def test_a_server_does_not_outlive_a_killed_owner(tmp_path: Path):
    pid_file = tmp_path / "pid"
    owner = (
        "import os, pathlib, signal, sys\n"
        "from prefect_integration_tests.backends.processes import LocalServer\n"
        "server = LocalServer([sys.executable, '-c', 'import time; time.sleep(600)'], lambda: True)\n"
        f"server.start(); pathlib.Path({str(pid_file)!r}).write_text(str(server.pid))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", owner], timeout=60)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(pid_file.read_text())))


def test_the_temporary_log_goes_and_a_named_one_stays(tmp_path: Path):
    port = free_port()
    with http_server(port) as server:
        own = server._log_path
        assert own is not None
        assert own.exists()
    assert not own.exists()
    named = tmp_path / "server.log"
    with http_server(port, log_path=named) as server:
        assert "GET /" in server.log_tail()
    assert named.exists()


def test_a_crash_is_noticed():
    with http_server(free_port()) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.is_running)
