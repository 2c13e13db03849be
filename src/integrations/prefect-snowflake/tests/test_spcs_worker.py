"""Runs in Snowpark jobs end as their containers do, say why, and leave nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelling, Failed, Running

from prefect_integration_tests.backends.snowpark import DATABASE, POOL, SCHEMA, Snowpark
from prefect_integration_tests.backends.snowpark_sql import SqlError
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until
from prefect_snowflake import SnowflakeCredentials
from prefect_snowflake.errors import (
    SnowflakeAccessDenied,
    SnowflakeError,
    SnowflakeLoginRefused,
    SnowflakeObjectNotFound,
)
from prefect_snowflake.experimental.workers.spcs import SPCSJobFailed, SPCSWaitTimeout, SPCSWorker

from ._spcs import LONG, SETTINGS, Pool, exits, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def server(empty_snowpark: Snowpark) -> Snowpark:
    return empty_snowpark


@pytest.fixture
def pool(prefect_harness: None, server: Snowpark) -> Pool:
    return Pool(server)


@pytest.mark.parametrize("exit_code", [0, 3])
async def test_a_run_has_the_exit_code_of_its_container(pool: Pool, server: Snowpark, exit_code: int) -> None:
    async with pool.worker() as worker:
        started = Started()
        run = await pool.new_run()
        result = await worker.run(run, pool.configure(run, command=exits(exit_code)), started)  # type: ignore[arg-type]
    assert result.status_code == exit_code
    assert bool(result) is (exit_code == 0)
    assert result.identifier == started.identifier
    assert result.identifier.startswith("FLOWS.RUNS.")
    assert result.identifier == ".".join(server.state.started[0].name)
    assert server.jobs == []
    assert server.alive == []


@pytest.mark.parametrize(
    ("exit_code", "said"),
    [
        (137, "killed by SIGKILL"),
        (127, "The command was not found"),
        (2, "exited with code 2"),
    ],
)
async def test_a_run_that_crashes_says_what_happened_and_its_last_lines(
    pool: Pool, server: Snowpark, exit_code: int, said: str
) -> None:
    async with pool.worker() as worker:
        run, result = await pool.submit(worker, command=exits(exit_code, "Traceback: boom"))
        assert result.status_code == exit_code
        state = await state_of(run)
        assert state.is_crashed()
        assert said in str(state.message)
        assert "Snowpark job 'FLOWS.RUNS." in str(state.message)
        await logs_of(run, "Traceback: boom")
    assert server.jobs == []


async def test_a_pool_named_as_in_earlier_releases_says_where_the_job_is_made(pool: Pool, server: Snowpark) -> None:
    variables = {"compute_pool": f"{DATABASE}.{SCHEMA}.{POOL}", "service_database": None, "service_schema": None}
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, **variables)
    assert result.status_code == 0
    [job] = server.state.started
    assert job.name[:2] == (DATABASE, SCHEMA)
    assert any(f"IN COMPUTE POOL {POOL}" in statement for statement in server.state.statements)


async def test_a_run_that_has_reported_its_end_keeps_its_state(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run, command=LONG)))
        await until(lambda: server.alive, "a container")
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Failed(message="own words"), force=True)
        server.alive[0].kill()
        assert (await task).status_code == 137
    assert (await state_of(run)).message == "own words"


async def test_a_run_is_pending_until_its_container_runs(pool: Pool, server: Snowpark) -> None:
    """State tells the truth: neither the pool's start nor the pull of the image counts as running."""
    server.state.pools[POOL].state = "SUSPENDED"
    server.state.pools[POOL].start_seconds = 0.2
    server.pull_seconds = None
    async with pool.worker() as worker:
        run, started = await pool.new_run(), Started()
        task = asyncio.create_task(worker.run(run, pool.configure(run), started))  # type: ignore[arg-type]
        await until(lambda: server.jobs, "a job")
        assert started.identifier is None
        assert (await state_of(run)).is_pending()
        server.jobs[0].start()
        result = await task
    assert started.identifier == result.identifier
    assert server.state.pools[POOL].resumed == 1


# What cannot be started


async def _fails(pool: Pool, error: type[Exception], **variables: Any) -> str:
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(error) as caught:
            await worker.run(run, pool.configure(run, **variables))
    await until(lambda: not pool.snowpark.jobs, "the drop")
    assert pool.snowpark.alive == []
    return str(caught.value)


async def test_an_image_that_cannot_be_pulled_is_said_with_its_remedy(pool: Pool, server: Snowpark) -> None:
    server.state.images = set()
    message = await _fails(pool, SPCSWaitTimeout, image="/no/such:1", service_start_timeout_seconds=0)
    assert "/no/such:1" in message
    assert "Check `image`" in message
    assert "PENDING" in message


async def test_the_pools_start_has_a_time_limit(pool: Pool, server: Snowpark) -> None:
    server.state.pools[POOL].state = "STARTING"
    server.state.pools[POOL].start_seconds = None
    message = await _fails(pool, SPCSWaitTimeout, pool_start_timeout_seconds=0)
    assert f"Compute pool '{POOL}'" in message
    assert "pool_start_timeout_seconds" in message
    assert server.count("EXECUTE JOB SERVICE") == 0


async def test_the_services_start_has_a_time_limit(pool: Pool, server: Snowpark) -> None:
    server.pull_seconds = None
    message = await _fails(pool, SPCSWaitTimeout, service_start_timeout_seconds=0)
    assert "service_start_timeout_seconds" in message


async def test_a_compute_pool_that_is_missing_or_gone_is_said(pool: Pool, server: Snowpark) -> None:
    assert "Compute pool 'OTHER'" in await _fails(pool, SnowflakeObjectNotFound, compute_pool="other")
    server.state.pools[POOL].state = "FAILED"
    assert "`compute_pool`" in await _fails(pool, SPCSJobFailed)
    assert "`compute_pool` is missing" in await _fails(pool, ValueError, compute_pool=None)


async def test_a_role_that_may_not_resume_a_pool_is_told_what_it_needs(pool: Pool, server: Snowpark) -> None:
    server.state.pools[POOL].state = "SUSPENDED"
    server.state.pools[POOL].auto_resume = False
    server.deny("ALTER COMPUTE POOL RESUME")
    assert "OPERATE" in await _fails(pool, SnowflakeAccessDenied)


async def test_a_pool_that_resumes_by_itself_needs_no_permission(pool: Pool, server: Snowpark) -> None:
    server.state.pools[POOL].state = "SUSPENDED"
    server.deny("ALTER COMPUTE POOL RESUME")
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 0


async def test_many_runs_that_find_a_pool_suspended_resume_it_once(pool: Pool, server: Snowpark) -> None:
    """Snowflake refuses to resume what another run has resumed a moment before."""
    server.state.pools[POOL].state = "SUSPENDED"
    server.state.pools[POOL].start_seconds = 0.3
    async with pool.worker() as worker:
        results = await asyncio.gather(*(pool.submit(worker) for _ in range(4)))
    assert [result.status_code for _, result in results] == [0] * 4
    assert server.state.pools[POOL].resumed == 1


async def test_a_pool_that_is_being_suspended_is_resumed_when_it_is(pool: Pool, server: Snowpark) -> None:
    server.state.pools[POOL].state = "STOPPING"
    async with pool.worker() as worker:
        task = asyncio.create_task(pool.submit(worker))
        await until(lambda: server.count("ALTER COMPUTE POOL RESUME"), "a try to resume it")
        server.state.pools[POOL].state = "SUSPENDED"
        _, result = await task
    assert result.status_code == 0


async def test_a_worker_that_ends_while_it_asks_for_a_job_leaves_none(pool: Pool, server: Snowpark) -> None:
    """What the statement has made is known before it is tidied up."""
    server.fail("EXECUTE JOB SERVICE", when="slow")
    server.pull_seconds = None
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: server.count("EXECUTE JOB SERVICE"), "the statement")
        assert server.state.started == []
        task.cancel()
        await asyncio.wait([task])
    assert len(server.state.started) == 1
    assert server.jobs == []


async def test_a_role_without_permission_is_told_what_it_needs(pool: Pool, server: Snowpark) -> None:
    server.deny("EXECUTE JOB SERVICE")
    message = await _fails(pool, SnowflakeAccessDenied)
    assert "CREATE SERVICE" in message
    assert "Snowpark job 'FLOWS.RUNS." in message


async def test_a_role_that_may_not_list_or_describe_pools_runs_jobs_all_the_same(pool: Pool, server: Snowpark) -> None:
    server.deny("DESCRIBE COMPUTE POOL", "SHOW JOB SERVICES")
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, command=exits(4))
    assert result.status_code == 4


async def test_a_specification_that_snowflake_refuses_is_said(pool: Pool, server: Snowpark) -> None:
    message = await _fails(pool, SnowflakeError, memory_request="much")
    assert "Invalid spec" in message
    assert "limits.memory" in message  # it is the memory that is asked for


async def test_a_wrong_password_is_said_without_it(pool: Pool) -> None:
    message = await _fails(pool, SnowflakeLoginRefused, fields={"password": "wrong-91bc2"})
    assert "Incorrect username or password" in message
    assert "wrong-91bc2" not in message


async def test_a_job_of_the_name_that_is_anothers_is_left_alone(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        configuration = pool.configure(run, command=LONG)
        task = asyncio.create_task(worker.run(run, configuration))
        job = (await until(lambda: server.alive, "a container"))[0]
        other = await pool.new_run()
        other.state = run.state
        service: Any = worker.job_service(configuration)
        job.options["COMMENT"] = "somebody else's"
        with pytest.raises(SPCSJobFailed, match="Drop it"):
            await service._execute(await service._located(configuration.service_name), _request(configuration), run)
        await service.close()
        assert server.alive == [job]
        job.kill()
        await task


def _request(configuration: Any) -> Any:
    from prefect_snowflake.experimental.workers.settings import SPCSWorkerSettings

    return configuration.job_request(configuration.service_name, SPCSWorkerSettings())


# What passes by itself


@pytest.mark.parametrize("kind", ["EXECUTE JOB SERVICE", "DESCRIBE COMPUTE POOL", "SHOW JOB SERVICES", "DROP SERVICE"])
async def test_a_session_that_has_ended_is_opened_again(
    pool: Pool, server: Snowpark, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    sign_in = SnowflakeCredentials.get_client

    def opens(credentials: SnowflakeCredentials, **arguments: Any) -> Any:
        opened.append(sign_in(credentials, **arguments))
        return opened[-1]

    monkeypatch.setattr(SnowflakeCredentials, "get_client", opens)
    server.fail(kind, error=SqlError(390114, "08001", "Authentication token has expired."))
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 0
    assert all(connection.is_closed() for connection in opened)
    assert len(server.state.logins) == 2
    assert len(server.state.started) == 1


async def test_sessions_that_all_end_meanwhile_lose_no_run(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run, command=LONG)))
        job = (await until(lambda: server.alive, "a container"))[0]
        server.expire_sessions()
        job.kill()
        assert (await task).status_code == 137
    assert server.jobs == []


async def test_an_answer_that_is_lost_makes_no_second_job(pool: Pool, server: Snowpark) -> None:
    server.fail("EXECUTE JOB SERVICE", when="lost")
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 0
    assert len(server.state.started) == 1


async def test_snowflake_that_is_overloaded_is_asked_again(pool: Pool, server: Snowpark) -> None:
    server.fail("DESCRIBE COMPUTE POOL", when="http")
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 0


async def test_many_runs_share_one_session_and_one_list(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        runs = [await pool.new_run() for _ in range(8)]
        tasks = [asyncio.create_task(worker.run(run, pool.configure(run, command=LONG))) for run in runs]
        await until(lambda: len(server.alive) == 8, "containers")
        for job in server.alive:
            job.kill()
        results = await asyncio.gather(*tasks)
    assert [result.status_code for result in results] == [137] * 8
    assert len(server.state.logins) == 1
    assert server.jobs == []


# Cancellation


async def test_a_cancelled_run_drops_its_service(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run, command=LONG)))
        await until(lambda: server.alive and run.id in worker.job_runs.running, "a container")
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Running(), force=True)
            await client.set_flow_run_state(run.id, Cancelling(), force=True)
        result = await task
        assert (await state_of(run)).is_cancelled()
    assert result.status_code != 0
    assert server.jobs == []
    assert server.alive == []
    assert server.state.started[0].signals[0] == "SIGTERM"


async def test_a_run_that_is_cancelled_while_its_image_is_pulled_is_not_run(pool: Pool, server: Snowpark) -> None:
    server.pull_seconds = None
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: server.jobs, "a job")
        worker.job_runs.cancel_requested(run.id)
        result = await task
    assert result.identifier == ""
    assert server.jobs == []


async def test_a_run_that_is_cancelled_while_the_pool_starts_makes_no_job(pool: Pool, server: Snowpark) -> None:
    server.state.pools[POOL].state = "SUSPENDED"
    server.state.pools[POOL].start_seconds = None
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: server.state.pools[POOL].resumed, "the pool's start")
        worker.job_runs.cancel_requested(run.id)
        assert (await task).identifier == ""
    assert server.count("EXECUTE JOB SERVICE") == 0


@pytest.mark.parametrize("is_short", [False, True], ids=["whole name", "name alone"])
async def test_infrastructure_is_killed_by_its_identifier_in_another_process(
    pool: Pool, server: Snowpark, is_short: bool
) -> None:
    async with pool.worker() as worker:
        run = await pool.new_run()
        configuration = pool.configure(run, command=LONG)
        task = asyncio.create_task(worker.run(run, configuration))
        job = (await until(lambda: server.alive and run.id in worker.job_runs.running and server.alive, "it"))[0]
        identifier = job.name[-1] if is_short else ".".join(job.name)
        async with SPCSWorker(work_pool_name=pool.name) as other:
            await other.kill_infrastructure(identifier, pool.configure(run), grace_seconds=5)
            assert server.jobs == []
            assert server.alive == []
            with pytest.raises(InfrastructureNotFound, match=job.name[-1]):
                await other.kill_infrastructure(identifier, pool.configure(run))
            with pytest.raises(ValueError, match=r"DATABASE\.SCHEMA\.NAME"):
                await other.kill_infrastructure("a; DROP TABLE b", pool.configure(run))
        await task


async def test_a_container_that_ignores_sigterm_is_waited_for_no_longer_than_the_grace(
    pool: Pool, server: Snowpark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{SETTINGS}_DELETE_TIMEOUT_SECONDS", "10")
    server.grace_seconds = 0.3
    stubborn = "sh -c \"trap '' TERM; echo ready; while :; do sleep 0.1; done\""
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run, command=stubborn)))
        await until(lambda: server.jobs and server.jobs[0].lines, "a container")
        await until(lambda: run.id in worker.job_runs.running, "the run")
        name = ".".join(server.jobs[0].name)
        await worker.kill_infrastructure(name, pool.configure(run), grace_seconds=0)
        await task
    assert server.jobs == []
    assert server.alive == []


async def test_a_job_that_is_to_stay_stays(pool: Pool, server: Snowpark) -> None:
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, keep_service=True)
    assert [".".join(job.name) for job in server.jobs] == [result.identifier]
    assert server.jobs[0].status == "DONE"


async def test_the_output_is_printed_to_its_end_and_each_line_once(
    pool: Pool, server: Snowpark, capfd: pytest.CaptureFixture[str]
) -> None:
    command = "sh -c 'n=0; while [ $n -lt 1200 ]; do echo line $n.; n=$((n + 1)); done'"
    async with pool.worker() as worker:
        await pool.submit(worker, command=command, stream_output=True)
    printed = [line for line in capfd.readouterr().err.splitlines() if line.startswith("line ")]
    assert printed == [f"line {n}." for n in range(1200)]
