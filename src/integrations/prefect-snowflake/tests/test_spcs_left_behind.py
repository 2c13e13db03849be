"""What the Snowpark worker does about what others left behind, and what Snowflake's query history shows of it all."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Completed, Running

from prefect_integration_kit._job_reconciliation import JobReconciliation
from prefect_integration_kit._job_sweep import JobSweep
from prefect_integration_tests.backends.snowpark import POOL, Snowpark
from prefect_integration_tests.pool_runs import Started, state_of, until
from prefect_snowflake.experimental.workers._spcs import statements

from ._spcs import LONG, SETTINGS, Pool, exits, quicken

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


async def _started(pool: Pool, run: Any, **variables: Any) -> str:
    """Start a run's job, and die."""
    configuration = pool.configure(run, command=LONG, **variables)
    started = Started()
    async with pool.worker() as worker:
        task = asyncio.create_task(worker.run(run, configuration, started))  # type: ignore[arg-type]
        await until(lambda: started.identifier, "a job that has been started")
        task.cancel()
        await asyncio.wait([task])
    return started.identifier


@pytest.mark.parametrize("form", ["whole name", "name alone, as older runs have it"])
async def test_a_run_whose_worker_died_is_looked_after_by_the_next(pool: Pool, server: Snowpark, form: str) -> None:
    variables = pool.variables
    if form != "whole name":
        variables.update(service_database=None, service_schema=None)
        server.default_place = ("FLOWS", "RUNS")
    run = await pool.new_run(**variables)
    identifier = await _started(pool, run)
    async with get_client() as client:
        short = identifier if form == "whole name" else identifier.rpartition(".")[2]
        await client.update_flow_run(run.id, infrastructure_pid=short)
        await client.set_flow_run_state(run.id, Running(), force=True)
    async with pool.worker(limit=1) as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert worker.job_runs.is_busy_with(run.id)
        server.alive[0].kill()
        await until(lambda: not worker.job_runs.is_busy_with(run.id), "the end")
        await until(lambda: not server.jobs, "the drop")
    assert (await state_of(run)).is_crashed()
    assert len(server.state.started) == 1


async def test_a_run_without_an_identifier_finds_its_job_by_its_name(pool: Pool, server: Snowpark) -> None:
    run = await pool.new_run(**pool.variables)
    identifier = await _started(pool, run)
    async with get_client() as client, pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        assert (await client.read_flow_run(run.id)).infrastructure_pid == identifier
        server.alive[0].kill()
        await until(lambda: not server.jobs, "the drop")
    assert len(server.state.started) == 1


async def test_a_run_that_never_got_a_job_is_submitted_again(pool: Pool, server: Snowpark) -> None:
    await pool.new_run(**pool.variables, command=exits(0))
    async with pool.worker() as worker:
        await JobReconciliation(worker, worker.job_runs).reconcile()
        await until(lambda: server.state.started, "a job")
        await until(lambda: not server.jobs, "the drop")


async def test_a_run_whose_worker_died_while_the_image_was_pulled_gets_no_second_job(
    pool: Pool, server: Snowpark
) -> None:
    server.pull_seconds = None
    run = await pool.new_run(**pool.variables, command=exits(0))
    configuration = pool.configure(run)
    async with pool.worker() as worker:
        service: Any = worker.job_service(configuration)
        from prefect_snowflake.experimental.workers.settings import SPCSWorkerSettings

        name = configuration.service_name
        request = configuration.job_request(name, SPCSWorkerSettings())
        await service._execute(await service._located(name), request, run)
        task = asyncio.create_task(JobReconciliation(worker, worker.job_runs).reconcile())
        await until(lambda: server.count("EXECUTE JOB SERVICE") == 2, "the second worker's try")
        server.jobs[0].start()
        await task
        await until(lambda: not server.jobs, "the drop")
    assert len(server.state.started) == 1


# Sweep


async def _sweep(pool: Pool, after: timedelta = timedelta(hours=2)) -> None:
    async with pool.worker() as worker:
        worker.job_runs.service_of(pool.configure(await pool.new_run()))
        await JobSweep(worker, worker.job_runs, now=lambda: datetime.now(timezone.utc) + after).sweep()


async def test_jobs_of_runs_that_are_over_are_swept(pool: Pool, server: Snowpark) -> None:
    run = await pool.new_run()
    await _started(pool, run)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    await _sweep(pool, timedelta(0))
    assert len(server.jobs) == 1
    await _sweep(pool)
    assert server.jobs == []
    assert server.alive == []


@pytest.mark.parametrize("whose", ["another pool's", "made to stay", "without labels"])
async def test_jobs_that_are_not_to_be_swept_stay(pool: Pool, server: Snowpark, whose: str) -> None:
    owner = Pool(server) if whose == "another pool's" else pool
    run = await owner.new_run()
    await _started(owner, run, keep_service=whose == "made to stay")
    if whose == "without labels":
        server.jobs[0].options["COMMENT"] = "a service of ours"
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    await _sweep(pool)
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
