"""Whatever ends the wait ends dbt's queries first, on a real PostgreSQL and on DuckDB."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from prefect_dbt._dbt import DbtEvent, DbtProcess, Invocation, Outcome
from prefect_dbt.errors import DbtTimeout
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate
from prefect_integration_tests.backends.postgres import Postgres

pytestmark = pytest.mark.timeout(240)

_SLEEP_SECONDS = 600
_QUERIES = (
    "select count(*) from pg_stat_activity "
    "where query like '%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'"
)


class Stopped(BaseException):
    """Thrown into a waiting thread, as Prefect's time-outs are."""


class Watch:
    """Tells when a node's query was sent, and how nodes ended."""

    def __init__(self) -> None:
        self.executes = threading.Event()
        self.finished: dict[str, str] = {}

    def __call__(self, event: DbtEvent) -> None:
        if event.name == "NodeExecuting":
            self.executes.set()
        if event.result is not None:
            self.finished[event.result.name] = event.result.status


def running(postgres: Postgres) -> int:
    """How many of our queries sleep in the database."""
    return int(postgres.run(_QUERIES))


def invocation(project: DbtProject, *args: str) -> Invocation:
    return Invocation(args, project_dir=project.path, profiles_dir=project.profiles_dir, keep_manifest=True)


@pytest.fixture(scope="module")
def slow_project(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """Two models that sleep in PostgreSQL at the same time, and a hook that does if it is told to."""
    project = generate(
        tmp_path_factory.mktemp("slow") / "project", adapter="postgres", postgres=postgres, models=2, seeds=0, tests=0
    )
    for name in ("model_0", "model_1"):
        project.slow_model(name, _SLEEP_SECONDS)
    text = (project.path / "dbt_project.yml").read_text(encoding="utf-8").rstrip().removesuffix("}")
    hook = f"{{{{ 'select pg_sleep({_SLEEP_SECONDS})' if var('slow_hook', false) else '' }}}}"
    project.write("dbt_project.yml", f'{text.rstrip()}, "on-run-start": "{hook}"\n}}\n')
    return project


@pytest.fixture(scope="module")
def child() -> Iterator[DbtProcess]:
    """One child for the tests that leave it usable."""
    with DbtProcess() as process:
        yield process


@pytest.fixture
def quiet(postgres: Postgres) -> Iterator[None]:
    """Nothing sleeps in the database before a test, and nothing after it."""
    assert running(postgres) == 0
    yield
    assert running(postgres) == 0


def sleeps(postgres: Postgres, count: int = 2) -> None:
    """Wait until so many queries sleep."""
    poll(
        lambda: running(postgres) >= count or None,
        subject=f"{count} sleeping queries",
        interval_seconds=0.1,
        timeout_seconds=120,
    )


def in_thread(body: Callable[[], Outcome]) -> Future[Outcome]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(body)
    pool.shutdown(wait=False)
    return future


def test_cancelling_ends_the_queries_and_the_child_stays_usable(
    child: DbtProcess, slow_project: DbtProject, postgres: Postgres, quiet: None
) -> None:
    pid = child.pid
    future = in_thread(lambda: child.invoke(invocation(slow_project, "run"), Watch()))
    sleeps(postgres)
    child.cancel()
    outcome = future.result(60)
    assert running(postgres) == 0
    assert outcome.interrupted
    assert not outcome.success
    assert outcome.exception is not None
    assert outcome.exception.class_name == "KeyboardInterrupt"
    assert child.invoke(invocation(slow_project, "ls"), Watch()).success
    assert child.pid == pid


def test_a_time_out_ends_the_queries(
    child: DbtProcess, slow_project: DbtProject, postgres: Postgres, quiet: None
) -> None:
    child.invoke(invocation(slow_project, "parse"), Watch())
    seen = Watch()
    with pytest.raises(DbtTimeout, match=r"dbt run did not end within 10 seconds and was cancelled"):
        child.invoke(invocation(slow_project, "run"), seen, timeout_seconds=10)
    assert running(postgres) == 0


def test_an_exception_thrown_into_the_waiting_thread_ends_the_queries(
    child: DbtProcess, slow_project: DbtProject, postgres: Postgres, quiet: None
) -> None:
    future = in_thread(lambda: child.invoke(invocation(slow_project, "run"), Watch()))
    sleeps(postgres)
    waiter = next(thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor"))
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(waiter.ident or 0), ctypes.py_object(Stopped))
    with pytest.raises(Stopped):
        future.result(60)
    assert running(postgres) == 0


def test_a_hook_whose_driver_hears_no_signal_is_ended_too(
    child: DbtProcess, slow_project: DbtProject, postgres: Postgres, quiet: None
) -> None:
    asked = invocation(slow_project, "run", "--vars", "{slow_hook: true}")
    future = in_thread(lambda: child.invoke(asked, Watch()))
    sleeps(postgres, 1)
    child.cancel()
    outcome = future.result(60)
    assert running(postgres) == 0
    assert outcome.interrupted


_PARENT = """
import sys
from prefect_dbt._dbt import DbtProcess, Invocation

folder = sys.argv[1]
with DbtProcess() as process:
    print(process.pid, flush=True)
    process.invoke(Invocation(("run",), project_dir=folder, profiles_dir=folder), lambda event: None)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGKILL, id="SIGKILL", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.slow),
    ],
)
def test_the_death_of_the_parent_ends_the_queries_and_the_child(
    number: signal.Signals, slow_project: DbtProject, postgres: Postgres, quiet: None
) -> None:
    command = [sys.executable, "-c", _PARENT, str(slow_project.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        server = parent_of(pid)
        assert server != parent.pid
        sleeps(postgres)
        parent.send_signal(number)
        parent.wait(60)
    for group in (pid, server):
        poll(
            lambda group=group: group_is_gone(group) or None,
            subject="their end",
            interval_seconds=0.1,
            timeout_seconds=60,
        )
    assert running(postgres) == 0


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def group_is_gone(pid: int) -> bool:
    """Whether no process is left in the group, but for zombies that nobody here can reap."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_a_cancelled_duckdb_file_can_be_opened_at_once(dbt_project: DbtProject) -> None:
    dbt_project.slow_model("model_4", _SLEEP_SECONDS)
    seen = Watch()
    with DbtProcess() as process:
        asked = invocation(dbt_project, "run", "--select", "model_4")
        future = in_thread(lambda: process.invoke(asked, seen))
        assert seen.executes.wait(120)
        process.cancel()
        assert future.result(60).interrupted
        import duckdb

        with duckdb.connect(dbt_project.database) as connection:
            assert connection.execute("select 1").fetchall() == [(1,)]
