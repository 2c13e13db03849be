"""What becomes of a run of dbt when the line to its database breaks, or the database refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run

from prefect_dbt.core.runner import PrefectDbtRunner
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_dbt.errors import DbtDatabaseUnreachable
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, FaultProxy
from prefect_integration_tests.backends.postgres import Postgres

from ._recorded import Recorded
from ._sleeping import SLEEP_SECONDS, sleeping_queries

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_dbt.core._hooks import DbtHookContext

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(scope="module")
def project(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """Two models, the second of which reads the first."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    return generate(folder, adapter="postgres", postgres=postgres, models=2, seeds=0, tests=0)


def invoke(project: DbtProject, runs: list[UUID]) -> None:
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)

    @flow(name="dbt-database-faults")
    def build() -> None:
        runs.append(UUID(flow_run.id))
        PrefectDbtRunner(settings=settings).invoke(["run"])

    build()


def lead_over(profile: Path, before: str, after: str) -> None:
    text = profile.read_text(encoding="utf-8")
    assert before in text
    profile.write_text(text.replace(before, after), encoding="utf-8")


def test_a_line_that_breaks_within_a_query_fails_its_node_with_the_cause(
    project: DbtProject, postgres: Postgres, tmp_path: Path, fault_proxy: Callable[..., FaultProxy]
) -> None:
    line = fault_proxy("127.0.0.1", postgres.port)
    broken = project.copy(tmp_path / "project")
    broken.slow_model("model_0", SLEEP_SECONDS)
    lead_over(broken.path / "profiles.yml", str(postgres.port), str(line.port))
    runs: list[UUID] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            invoke(broken, runs)
        except Exception as exc:
            failures.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    poll(lambda: sleeping_queries(broken) or None, subject="the query", interval_seconds=0.1, timeout_seconds=120)
    line.reset_connections()
    thread.join(120)
    assert not thread.is_alive()
    (failure,) = failures
    assert "model_0" in str(failure)
    assert "closed" in str(failure)
    recorded = Recorded(runs[0], expected=1)
    assert recorded.state("model model_0").type is StateType.FAILED


def test_a_host_that_no_resolver_knows_is_told(project: DbtProject, postgres: Postgres, tmp_path: Path) -> None:
    lost = project.copy(tmp_path / "project")
    lead_over(lost.path / "profiles.yml", "127.0.0.1", UNRESOLVABLE_HOST)
    with pytest.raises(DbtDatabaseUnreachable, match=rf"(?s){UNRESOLVABLE_HOST}.*Check host, port and login"):
        invoke(lost, [])


def test_a_login_that_is_not_good_any_more_is_told(project: DbtProject, postgres: Postgres, tmp_path: Path) -> None:
    locked_out = project.copy(tmp_path / "project")
    lead_over(locked_out.path / "profiles.yml", '"user": "postgres"', '"user": "gone"')
    with pytest.raises(DbtDatabaseUnreachable, match=r'(?s)role "gone" does not exist.*Check host, port and login'):
        invoke(locked_out, [])


def test_a_right_that_was_taken_away_fails_its_node_with_the_cause(
    project: DbtProject, postgres: Postgres, tmp_path: Path
) -> None:
    limited = project.copy(tmp_path / "project")
    payroll = f"payroll_{limited.schema}"
    limited.query(f"create table public.{payroll} as select 1 as id; create role {limited.schema}_limited login")
    limited.query(f"grant create, connect on database {limited.database} to {limited.schema}_limited")
    limited.write(
        limited.model_file("model_0"), f"{{{{ config(materialized='table') }}}}select * from public.{payroll}\n"
    )
    lead_over(limited.path / "profiles.yml", '"user": "postgres"', f'"user": "{limited.schema}_limited"')
    runs: list[UUID] = []
    with pytest.raises(Exception, match=r"(?s)model_0.*permission denied for table payroll_"):
        invoke(limited, runs)
    assert Recorded(runs[0], expected=2).state("model model_0").type is StateType.FAILED


def test_a_certificate_that_nobody_trusts_is_told(
    project: DbtProject, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, other = PrivateCA(tmp_path_factory.mktemp("ours")), PrivateCA(tmp_path_factory.mktemp("other"))
    wary = project.copy(tmp_path / "project")
    with Postgres.start(("hostssl all all 127.0.0.1/32 trust",), ours.issue("server", "127.0.0.1")) as server:
        assert project.postgres is not None
        trust = f'"sslmode": "verify-full", "sslrootcert": "{other.ca_file}", "port": {server.port}'
        lead_over(wary.path / "profiles.yml", f'"port": {project.postgres.port}', trust)
        with pytest.raises(DbtDatabaseUnreachable, match=r"(?s)certificate verify failed.*`sslrootcert`"):
            invoke(wary, [])
        lead_over(wary.path / "profiles.yml", str(other.ca_file), str(ours.ca_file))
        invoke(wary, [])


def test_a_slow_line_changes_nothing(
    project: DbtProject, postgres: Postgres, tmp_path: Path, fault_proxy: Callable[..., FaultProxy]
) -> None:
    line = fault_proxy("127.0.0.1", postgres.port)
    slow = project.copy(tmp_path / "project")
    lead_over(slow.path / "profiles.yml", str(postgres.port), str(line.port))
    line.set(latency_seconds=0.03, bytes_per_second=20_000)
    invoke(slow, [])
    assert line.connections
    assert slow.tables() == {"model_0", "model_1"}


def test_what_was_committed_before_the_line_broke_is_built_anew(
    project: DbtProject, postgres: Postgres, tmp_path: Path
) -> None:
    broken = project.copy(tmp_path / "project")
    # The connection ends between the commit of the table and the answer that it is there.
    end = "{'sql': 'select pg_terminate_backend(pg_backend_pid())', 'transaction': False}"
    made = "{{ config(materialized='table'%s) }}select 1 as id\n"
    broken.write(broken.model_file("model_0"), made % f", post_hook={end}")
    runs: list[UUID] = []
    with pytest.raises(Exception, match=r"(?s)model_0.*server closed the connection"):
        invoke(broken, runs)
    assert Recorded(runs[0], expected=2).state("model model_0").type is StateType.FAILED
    assert "model_0" in broken.tables()
    broken.write(broken.model_file("model_0"), made % "")
    invoke(broken, runs)
    assert broken.query(f"select count(*) from {broken.schema}.model_0") == [("1",)]
    assert Recorded(runs[1], expected=2).state("model model_1").type is StateType.COMPLETED


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    project: DbtProject, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    jumpy = project.copy(tmp_path / "project")
    jumpy.slow_model("model_0", 1.0)
    now = time.time
    runs: list[UUID] = []

    def leap(context: DbtHookContext) -> None:
        monkeypatch.setattr(time, "time", lambda: now() + jump)

    settings = PrefectDbtSettings(project_dir=jumpy.path, profiles_dir=jumpy.profiles_dir)
    runner = PrefectDbtRunner(settings=settings)
    runner.on_run_start(leap)

    @flow(name="dbt-clock", timeout_seconds=300)
    def build() -> None:
        runs.append(UUID(flow_run.id))
        runner.invoke(["run"])

    build()
    assert time.time() - now() == pytest.approx(jump, abs=60)
    monkeypatch.setattr(time, "time", now)
    recorded = Recorded(runs[0], expected=2)
    for name in ("model model_0", "model model_1"):
        assert recorded.states(name) == ["Pending", "Running", "Completed"]
    assert jumpy.tables() == {"model_0", "model_1"}
