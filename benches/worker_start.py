"""What `prefect worker start` costs until the first poll, for each type of worker."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benches import harness
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.aws_stub import AwsStub
from prefect_integration_tests.backends.kube_api import KubeApi
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "`prefect worker start --type …`, the whole process from its start to its first request for scheduled flow runs,"
    " with all eighteen packages installed, against a Prefect server on the same machine. The work pool is there. The"
    " ECS worker has an AWS that answers without events, the Kubernetes worker an API server without pods; `process` is"
    " Prefect's own worker, which loads all packages all the same. Memory and modules are those at the first poll."
    " Calls are those to Prefect before it; ours make two more, to find what an earlier worker has left behind."
)
METRICS = (
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("peak_mib", "peak MiB", 0),
    Metric("modules", "modules", 0),
    Metric("threads", "threads", 0, compared=False),
    Metric("calls", "calls", 0, compared=False),
)
TYPES = (
    *("process", "ecs", "azure-container-instance", "cloud-run", "cloud-run-v2", "vertex-ai", "docker", "kubernetes"),
    "snowpark-container-service",
)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(f"`--type {kind}`", variant, variant, (kind, kind))
        for kind in TYPES
        for variant in (BASELINE, "ours")
        if only is None or only in kind
    ]
    with ExitStack() as stack:
        server = stack.enter_context(PrefectServer.start())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws = stack.enter_context(_empty_aws())
        kubernetes = stack.enter_context(KubeApi())
        environ = (
            ("AWS_ENDPOINT_URL", aws.endpoint_url),
            *(("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "t"), ("AWS_SECRET_ACCESS_KEY", "t")),
            ("KUBECONFIG", str(kubernetes.write_kubeconfig(folder / "config"))),
        )
        asyncio.run(_make_pools(server))

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            del case
            yield (server.api_url,)

        cases = [Case(case.what, case.variant, case.environment, case.arguments, environ) for case in cases]
        samples = harness.alternate(cases, "worker_start", rounds or 3, around=around, warm_up=False)
    return harness.save("worker_start", ABOUT, samples, METRICS, keep=only is None)


def _empty_aws() -> AwsStub:
    stub = AwsStub("ecs", "sqs")
    stub.respond("GetQueueUrl", {"QueueUrl": f"{stub.endpoint_url}/000000000000/events"})
    stub.respond("ReceiveMessage", {"Messages": []})
    return stub


async def _make_pools(server: PrefectServer) -> None:
    """Make a pool of each type, with a template of its own: a worker gives a template only to a pool without any."""
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import WorkPoolCreate

    template: dict[str, Any] = {
        "job_configuration": {"command": "{{ command }}"},
        "variables": {"properties": {"command": {}}},
    }
    async with PrefectClient(server.api_url) as client:
        for kind in TYPES:
            await client.create_work_pool(WorkPoolCreate(name=kind, type=kind, base_job_template=template))
