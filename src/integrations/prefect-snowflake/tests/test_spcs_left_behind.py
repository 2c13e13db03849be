"""What the Snowpark worker does about what others left behind, and what Snowflake's query history shows of it all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect import get_client
from prefect.states import Completed, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.snowpark import POOL, Snowpark
from prefect_integration_tests.pool_runs import Started, state_of, until
from prefect_integration_tests.suites import LeftBehindSuite
from prefect_integration_tests.suites.left_behind import later
from prefect_snowflake.experimental.workers._spcs import statements
from prefect_snowflake.experimental.workers.settings import SPCSWorkerSettings

from ._spcs import LONG, SETTINGS, Pool, exits, quicken

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.usefixtures("prefect_harness")

SECRET = "canary-key-9e41"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    monkeypatch.setenv(f"{SETTINGS}_RECONCILE_AFTER_SECONDS", "0")


@pytest.fixture
def server(empty_snowpark: Snowpark) -> Snowpark:
    return empty_snowpark


@pytest.fixture
def pool(prefect_harness: None, server: Snowpark) -> Pool:
    return Pool(server)


class TestLeftBehind(LeftBehindSuite):
    keeping: ClassVar[Mapping[str, Any]] = MappingProxyType({"keep_service": True})

    @pytest.fixture
    def pool(self, prefect_harness: None, server: Snowpark) -> Pool:
        return Pool(server)

    def another(self, pool: Pool) -> Pool:
        other = Pool(pool.snowpark)
        other.command = pool.command
        return other

    def variables(self, pool: Pool) -> dict[str, Any]:
        return {**pool.variables, "command": pool.command}

    def let_run(self, pool: Pool) -> None:
        pool.command = LONG

    def end(self, pool: Pool, exit_code: int = 0) -> None:
        """Kill them all; they have no other end."""
        for job in pool.snowpark.alive:
            job.kill()

    def running(self, pool: Pool) -> int:
        return len(pool.snowpark.alive)

    def jobs(self, pool: Pool) -> list[str]:
        return [".".join(job.name) for job in pool.snowpark.jobs]

    def left_over(self, pool: Pool) -> list[Any]:
        return [*pool.snowpark.jobs, *pool.snowpark.alive]

    def made(self, pool: Pool) -> dict[str, int]:
        return {"started": len(pool.snowpark.state.started)}

    def name_of(self, identifier: str) -> str:
        return identifier

    async def make_unstarted(self, pool: Pool, worker: Any, run: FlowRun) -> None:
        """The worker dies while the image is pulled; it is there when the next one has asked, too."""
        server, configuration = pool.snowpark, pool.configure(run)
        server.pull_seconds = None
        service = worker.job_service(configuration)
        name = configuration.service_name
        request = configuration.job_request(name, SPCSWorkerSettings())
        await service._execute(await service._located(name), request, run)
        await service.close()

        async def pull() -> None:
            await until(lambda: server.count("EXECUTE JOB SERVICE") == 2, "the second worker's try")
            server.jobs[0].start()

        self.pulling = asyncio.create_task(pull())

    def refuse_deletion(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        pool.snowpark.deny("DROP SERVICE")
        return lambda: pool.snowpark.state.denied.discard("DROP SERVICE")


async def test_a_job_that_a_run_names_by_its_name_alone_is_looked_after(pool: Pool, server: Snowpark) -> None:
    """As older runs have it."""
    server.default_place = ("FLOWS", "RUNS")
    run = await pool.new_run(**{**pool.variables, "service_database": None, "service_schema": None})
    started: Any = Started()
    async with pool.worker() as worker:
        task = asyncio.create_task(worker.run(run, pool.configure(run, command=LONG), started))
        await until(lambda: started.identifier, "a job that has been started")
        task.cancel()
        await asyncio.wait([task])
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=started.identifier.rpartition(".")[2])
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker(limit=1) as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        server.alive[0].kill()
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not server.jobs, "the drop")
    assert (await state_of(run)).is_crashed()
    assert len(server.state.started) == 1


# Sweep


async def test_services_without_labels_are_not_swept(pool: Pool, server: Snowpark) -> None:
    run = await pool.new_run()
    async with get_client() as client, pool.worker() as worker:
        await worker.run(run, pool.configure(run, keep_service=True))
        server.jobs[0].options["COMMENT"] = "a service of ours"
        await client.set_flow_run_state(run.id, Completed(), force=True)
        await JobSweep(worker, worker.job_runs, now=later(hours=2)).sweep()
    assert len(server.jobs) == 1


async def test_long_lists_are_read_page_by_page(pool: Pool, server: Snowpark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "PAGE", 2)
    async with pool.worker() as worker:
        runs = [await pool.new_run() for _ in range(5)]
        tasks = [asyncio.create_task(worker.run(run, pool.configure(run, command=LONG))) for run in runs]
        await until(lambda: len(server.alive) == 5, "containers")
        service: Any = worker.job_service(pool.configure(runs[0]))
        assert len([seen async for seen in service.list_jobs()]) == 5
        await service.close()
        for job in server.alive:
            job.kill()
        await asyncio.gather(*tasks)


# Secrets


async def test_the_container_gets_the_key_and_the_query_history_does_not(
    pool: Pool, server: Snowpark, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """API keys go through Snowflake secrets only: no statement, bound value, log or state has one."""
    caplog.set_level("DEBUG", "snowflake")
    monkeypatch.setenv(f"{SETTINGS}_API_KEY_SECRET", "FLOWS.RUNS.API_KEY")
    server.state.secrets["FLOWS.RUNS.API_KEY"] = SECRET
    command = "sh -c 'test -n \"$PREFECT_API_KEY\"'"
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, command=command, env={"PREFECT_API_KEY": SECRET}, stream_output=True)
        assert result.status_code == 0
        run, _ = await pool.submit(worker, command=exits(3), env={"PREFECT_API_KEY": SECRET})
        assert SECRET not in str(await state_of(run))
    assert server.state.started[0].environment["PREFECT_API_KEY"] == SECRET
    history = "\n".join([*server.state.statements, repr(server.state.bindings), repr(server.state.commands)])
    assert "EXECUTE JOB SERVICE" in history
    assert SECRET not in history
    assert Snowpark.password not in history
    assert SECRET not in caplog.text
    assert Snowpark.password not in caplog.text


async def test_a_run_whose_key_has_no_secret_is_not_started(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(ValueError, match="CREATE SECRET") as caught:
            await worker.run(run, pool.configure(run, env={"PREFECT_API_KEY": SECRET}))
    assert SECRET not in str(caught.value)
    assert server.state.statements == []


async def test_a_missing_secret_is_said_with_its_name(pool: Pool, server: Snowpark) -> None:
    from prefect_snowflake.errors import SnowflakeObjectNotFound

    secret = {"snowflakeSecret": "flows.runs.nope", "secretKeyRef": "secret_string", "envVarName": "PREFECT_API_KEY"}
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(SnowflakeObjectNotFound, match=r"flows\.runs\.nope"):
            await worker.run(run, pool.configure(run, secrets=[secret]))
    assert server.jobs == []


async def test_values_cannot_break_out_of_statements(pool: Pool, server: Snowpark) -> None:
    """The server takes statements apart as Snowflake does: what broke out would be a syntax error, or another one."""
    evil = "$$; DROP SERVICE x; -- ' \" \\ %s ?"
    async with pool.worker() as worker:
        _, result = await pool.submit(
            worker, env={"EVIL": evil}, service_comment=evil, command="sh -c 'test -n \"$EVIL\"'"
        )
    assert result.status_code == 0
    assert server.state.started[0].environment["EVIL"] == evil
    assert server.state.started[0].options["COMMENT"].startswith(evil)
    assert {command.name for command in server.state.commands if command.kind == "DROP SERVICE"} == {
        server.state.started[0].name
    }


async def test_the_role_and_the_application_are_told(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        await pool.submit(worker, fields={"role": "RUNNER"}, compute_pool=POOL.lower())
    login = server.state.logins[0]
    assert (login.role, login.application) == ("RUNNER", "Prefect_Snowflake_Collection")
