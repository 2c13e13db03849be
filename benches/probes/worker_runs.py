"""Let a worker serve a pool until it has run so many flow runs, all scheduled at once; print time, calls and memory.

Arguments: kind of worker, how many runs, URL of the Prefect API, and what `CLOUDS` says of the kind.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from _process import cpu_seconds, resident_mib
from _requests import Requests, uncounted

CLASSES = {
    "ecs": "prefect_aws.workers.ecs_worker:ECSWorker",
    "azure-container-instance": "prefect_azure.workers.container_instance:AzureContainerWorker",
    "cloud-run": "prefect_gcp.workers.cloud_run:CloudRunWorker",
    "cloud-run-v2": "prefect_gcp.workers.cloud_run_v2:CloudRunWorkerV2",
    "vertex-ai": "prefect_gcp.workers.vertex:VertexAIWorker",
    "docker": "prefect_docker.worker:DockerWorker",
    "kubernetes": "prefect_kubernetes.worker:KubernetesWorker",
    "snowpark-container-service": "prefect_snowflake.experimental.workers.spcs:SPCSWorker",
}
POLL_SECONDS = 0.5
LOOK_SECONDS = 10.0
LIMIT_SECONDS = 1500.0


# --- how each is led to its local cloud, and what its runs are given -------------------------------------------------


def ecs(endpoint: str) -> dict[str, Any]:
    """Arguments: address of AWS."""
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t"}
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    return {"launch_type": "EC2", "cluster": "c", "image": "i"}


def azure(endpoint: str) -> dict[str, Any]:
    """Arguments: address of Azure."""
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.mgmt.containerinstance import ContainerInstanceManagementClient
    from azure.mgmt.resource import ResourceManagementClient

    from prefect_azure.credentials import AzureContainerInstanceCredentials

    class Token:
        def get_token(self, *_: str, **__: Any) -> Any:
            return AccessToken("token", int(time.time()) + 3600)

    class Bearer(SansIOHTTPPolicy):  # type: ignore[type-arg]
        def on_request(self, request: Any) -> None:
            request.http_request.headers["Authorization"] = "Bearer token"

    def client_of(kind: Any) -> Callable[[Any, str], Any]:
        def get(_self: Any, subscription_id: str) -> Any:
            # The local server has no TLS, and the SDK sends no token without it.
            return kind(
                subscription_id=subscription_id,
                credential=Token(),
                base_url=endpoint,
                authentication_policy=Bearer(),
            )

        return get

    # Both packages ask the block for their clients.
    AzureContainerInstanceCredentials.get_container_client = client_of(ContainerInstanceManagementClient)
    AzureContainerInstanceCredentials.get_resource_client = client_of(ResourceManagementClient)
    return {
        "image": "busybox:dev",
        "resource_group_name": "bench",
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "aci_credentials": {"client_id": "c", "client_secret": "s", "tenant_id": "t"},
    }


def google(endpoint: str, key: str) -> dict[str, Any]:
    """Arguments: address of Google, file with a service account's key."""
    from prefect_gcp.credentials import GcpCredentials

    info = json.loads(Path(key).read_text(encoding="utf-8"))
    own = {"api_endpoints": {"run": endpoint}} if "api_endpoints" in GcpCredentials.model_fields else {}
    if not own:
        lead_to(endpoint)
    return {
        "image": "busybox:dev",
        "credentials": {"service_account_info": info, "project": info["project_id"], **own},
    }


def lead_to(endpoint: str) -> None:
    """Lead requests for Cloud Run's own address to the local server, where a package has no setting for it."""
    import httplib2

    send = httplib2.Http.request

    def request(self: Any, uri: str, *args: Any, **kwargs: Any) -> Any:
        scheme, _, rest = uri.partition("://")
        host, slash, path = rest.partition("/")
        if scheme == "https" and host.endswith("run.googleapis.com"):
            region = host.removesuffix("run.googleapis.com").removesuffix("-")
            uri = f"{endpoint}/{region}/{path}" if region else f"{endpoint}{slash}{path}"
        response, content = send(self, uri, *args, **kwargs)
        answer = json.loads(content or b"{}")
        if "/jobs/" in answer.get("name", "") and "terminalCondition" in answer:
            # The local server leaves out what is empty; the published package needs it to be there.
            content = json.dumps({"latestCreatedExecution": {}, **answer}).encode()
        return response, content

    httplib2.Http.request = request


def vertex(target: str, key: str) -> dict[str, Any]:
    """Arguments: address of Vertex AI's gRPC server, file with a service account's key."""
    import grpc.aio
    from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcAsyncIOTransport

    from prefect_gcp.credentials import GcpCredentials

    info = json.loads(Path(key).read_text(encoding="utf-8"))
    has_setting = "api_endpoints" in GcpCredentials.model_fields
    own = {"api_endpoints": {"aiplatform": f"http://{target}"}} if has_setting else {}
    if not own:

        def create_channel(*_: Any, **__: Any) -> Any:
            return grpc.aio.insecure_channel(target)

        JobServiceGrpcAsyncIOTransport.create_channel = create_channel
    return {
        "image": "busybox:dev",
        "region": "us-east1",
        "service_account_name": "runner@bench.iam.gserviceaccount.com",
        "credentials": {"service_account_info": info, "project": info["project_id"], **own},
    }


def docker(address: str, image: str) -> dict[str, Any]:
    """Arguments: address of the Docker engine, image."""
    os.environ["DOCKER_HOST"] = address
    return {
        "image": image,
        "image_pull_policy": "Never",
        "command": "sh -c 'echo one; sleep 1; echo two; sleep 1'",
        "network_mode": "none",
        "labels": {"prefect-bench": "worker-runs"},
    }


def kubernetes(kubeconfig: str) -> dict[str, Any]:
    """Arguments: a kubeconfig."""
    os.environ["KUBECONFIG"] = kubeconfig
    return {"image": "busybox:dev", "stream_output": True}


def snowflake(fields: str) -> dict[str, Any]:
    """Arguments: job variables that name credentials, pool, database and schema, in JSON."""
    from prefect_snowflake import SnowflakeCredentials

    variables: dict[str, Any] = {"image": "busybox:dev", "command": "sh -c 'exit 0'", **json.loads(fields)}
    given = variables["snowflake_credentials"]
    known = {name: given[name] for name in given if name in SnowflakeCredentials.model_fields}
    if address := {name: given[name] for name in given if name not in known}:
        # The published package has no fields for an address of one's own.
        import snowflake.connector

        connect = snowflake.connector.connect
        snowflake.connector.connect = lambda *args, **named: connect(*args, **{**named, **address})
    return {**variables, "snowflake_credentials": known}


CLOUDS: dict[str, Callable[..., dict[str, Any]]] = {
    "ecs": ecs,
    "azure-container-instance": azure,
    "cloud-run": google,
    "cloud-run-v2": google,
    "vertex-ai": vertex,
    "docker": docker,
    "kubernetes": kubernetes,
    "snowpark-container-service": snowflake,
}


# --- the runs --------------------------------------------------------------------------------------------------------


class Ends:
    """Hears when the worker's `run` has started infrastructure and when it returns, and plays the flow's own part.

    A real flow run reports its states itself, from within its container; here they are reported for it.

    Args:
        api_url: Address of the Prefect API.
        states: Names of the states to report.
    """

    def __init__(self, api_url: str, states: Sequence[str] = ("Running", "Completed")) -> None:
        self._states = states
        self.begun: set[uuid.UUID] = set()
        self.returned = 0
        self.threads = 0
        self.failures: list[str] = []
        self._api_url = api_url
        self._reports: set[asyncio.Task[None]] = set()

    def listen(self, worker_class: Any) -> None:
        """Hear of all runs of a class of workers."""
        run, ends = worker_class.run, self

        async def heard(self: Any, flow_run: Any, configuration: Any, task_status: Any = None) -> Any:
            ends.begun.add(flow_run.id)
            try:
                result = await run(self, flow_run, configuration, ends.status(flow_run.id, task_status))
            except BaseException as exc:
                ends.failures.append(f"{type(exc).__name__}: {exc}")
                raise
            else:
                if result.status_code not in (0, None) and int(result.status_code) != 0:
                    ends.failures.append(f"ended with {result.status_code}")
                return result
            finally:
                ends.returned += 1
                ends.threads = max(ends.threads, threading.active_count())

        worker_class.run = heard

    def status(self, flow_run_id: uuid.UUID, status: Any) -> Any:
        """Stand between the worker and Prefect, to hear of the start."""
        ends = self

        class Between:
            def started(self, *args: Any, **named: Any) -> None:
                report = asyncio.get_running_loop().create_task(ends.report(flow_run_id))
                ends._reports.add(report)
                report.add_done_callback(ends._reports.discard)
                if status is not None:
                    status.started(*args, **named)

        return Between()

    async def settle(self) -> None:
        """Wait until all is reported."""
        await asyncio.gather(*self._reports)

    async def report(self, flow_run_id: uuid.UUID) -> None:
        """Report what the flow in the container would."""
        import httpx

        uncounted.set(True)
        async with httpx.AsyncClient(timeout=60) as client:
            for name in self._states:
                body = {"state": {"type": name.upper(), "name": name}, "force": True}
                for _try in range(10):
                    answer = await client.post(f"{self._api_url}/flow_runs/{flow_run_id}/set_state", json=body)
                    if answer.status_code < 500:
                        break
                    await asyncio.sleep(0.5)


async def serve(worker: Any, ends: Ends, until: int, lost: Callable[[], Awaitable[int]]) -> None:
    """Poll, as the worker's own loop does, until so many runs have ended."""
    limit = time.monotonic() + LIMIT_SECONDS
    look_at = time.monotonic() + LOOK_SECONDS
    gone = 0
    while ends.returned + gone < until:
        now = time.monotonic()
        if now > limit:
            raise SystemExit(f"Only {ends.returned} of {until} runs have ended: {Counter(ends.failures)}")
        if now > look_at:
            gone, look_at = await lost(), now + LOOK_SECONDS
        await worker.get_and_submit_flow_runs()
        await asyncio.sleep(POLL_SECONDS)
    ends.failures += ["lost before it began"] * gone


async def main(kind: str, runs: int, variables: dict[str, Any], requests: Requests) -> dict[str, float]:
    """Run and measure."""
    from prefect import flow, get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateName,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    module, _, name = CLASSES[kind].partition(":")
    worker_class = getattr(import_module(module), name)
    ends = Ends(os.environ["PREFECT_API_URL"])
    ends.listen(worker_class)

    @flow
    def measured() -> None:
        pass

    pool = f"bench-{uuid.uuid4().hex[:8]}"
    async with get_client() as client:
        template = worker_class.get_default_base_job_template()
        await client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=template))
        flow_id = await client.create_flow(measured)
        deployment_id = await client.create_deployment(flow_id, pool, work_pool_name=pool, job_variables=variables)
        mine = FlowRunFilterDeploymentId(any_=[deployment_id])
        async with worker_class(work_pool_name=pool) as worker:
            await worker.sync_with_backend()
            await client.create_flow_run_from_deployment(deployment_id)

            async def lost() -> int:
                """Count the runs that crashed before the worker's `run` was called."""
                crashed = FlowRunFilter(
                    deployment_id=mine,
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
                )
                token = uncounted.set(True)
                try:
                    found = await client.read_flow_runs(flow_run_filter=crashed, limit=200)
                finally:
                    uncounted.reset(token)
                return sum(flow_run.id not in ends.begun for flow_run in found)

            await serve(worker, ends, 1, lost)  # imports, clients, the first registration
            for _number in range(runs):
                await client.create_flow_run_from_deployment(deployment_id)
            gc.collect()
            requests.watch()
            before, wall, cpu = resident_mib(), time.perf_counter(), cpu_seconds()
            await serve(worker, ends, runs + 1, lost)
            wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
            gc.collect()
            values = {
                "wall_s": wall,
                "cpu_s": cpu,
                "prefect_calls": requests.counts["prefect"] / runs,
                "cloud_calls": requests.counts["cloud"] / runs,
                "growth_mib": resident_mib() - before,
                "threads": ends.threads,
                "failed": len(ends.failures),
            }
            await ends.settle()
            completed = FlowRunFilter(
                deployment_id=mine, state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Completed"]))
            )
            values["completed"] = await client.count_flow_runs(flow_run_filter=completed) - 1
    for failure, times in Counter(ends.failures).most_common(3):
        print(f"{times} times {failure[:500]}", file=sys.stderr)
    if os.environ.get("BENCH_SHOW_CALLS"):
        for path, times in requests.paths.most_common(25):
            print(f"{times:6} {path}", file=sys.stderr)
    return values


if __name__ == "__main__":
    given_kind, count, api_url, *rest = sys.argv[1:]
    os.environ["PREFECT_API_URL"] = api_url
    os.environ["PREFECT_LOGGING_LEVEL"] = os.environ.get("BENCH_LOG", "CRITICAL")
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    found = asyncio.run(main(given_kind, int(count), CLOUDS[given_kind](*rest), Requests(api_url)))
    print(json.dumps(found), flush=True)
    os._exit(0)  # whatever threads of observers still wait for
