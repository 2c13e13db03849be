"""Run flows as Kubernetes jobs.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type kubernetes my-kubernetes-pool
prefect worker start --pool my-kubernetes-pool
```

The worker may run anywhere that reaches the cluster's API and the Prefect API; often it is a deployment of the cluster
itself, and takes its permissions from a service account. Elsewhere it uses `cluster_config`, `$KUBECONFIG` or
`~/.kube/config`. `prefect-kubernetes check` says which permissions it lacks.

A job is made from the pool's job manifest, see `KubernetesWorkerVariables` for what deployments may set. Its name is
derived from the submission, so that a request whose answer was lost makes no second job. Prefect's secrets, the API key
among them, go into a Secret that the job owns, where the worker may create Secrets; with
`PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_SECRET_FOR_API_KEY` a run does not start otherwise.

How jobs end is learnt by watching them (see `prefect_kubernetes.observer`), else by looking at the worker's own jobs
every few seconds.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.abc
from prefect.workers.base import BaseWorker, BaseWorkerResult

from ._worker.configuration import KubernetesWorkerJobConfiguration
from ._worker.identifiers import JobIdentifier, parse_identifier
from ._worker.variables import KubernetesImagePullPolicy, KubernetesWorkerVariables
from .credentials import KubernetesClusterConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun
    from typing_extensions import Self

    from ._worker.submission import KubernetesSubmissions
    from .observer import start_observer as start_observer
    from .observer import stop_observer as stop_observer
    from .settings import KubernetesSettings as KubernetesSettings
    from .utilities import KeepAliveClientRequest as KeepAliveClientRequest

__all__ = [
    "JobIdentifier",
    "KubernetesClusterConfig",
    "KubernetesImagePullPolicy",
    "KubernetesWorker",
    "KubernetesWorkerJobConfiguration",
    "KubernetesWorkerResult",
    "KubernetesWorkerVariables",
    "parse_identifier",
]

R = TypeVar("R")

_LATE = {
    "start_observer": ".observer",
    "stop_observer": ".observer",
    "KubernetesSettings": ".settings",
    "KeepAliveClientRequest": ".utilities",
}


def __getattr__(name: str) -> Any:
    """Import what only a worker that runs needs: every flow run imports this module."""
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name], __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _late(name: str) -> Any:
    """Get a name of this module that comes late, or what a test has put in its place."""
    return getattr(sys.modules[__name__], name)


class KubernetesWorkerResult(BaseWorkerResult):
    """The job that was created. Its status code is 0; how the job ends is learnt later."""


class KubernetesWorker(BaseWorker[KubernetesWorkerJobConfiguration, KubernetesWorkerVariables, KubernetesWorkerResult]):
    """A worker that runs flows as Kubernetes jobs."""

    type: str = "kubernetes"
    job_configuration = KubernetesWorkerJobConfiguration
    job_configuration_variables = KubernetesWorkerVariables
    _description = "Execute flow runs within jobs scheduled on a Kubernetes cluster. Requires a Kubernetes cluster."
    _display_name = "Kubernetes"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-kubernetes"
    _logo_url = (
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9"
        "/assets/block-logos/kubernetes.png"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a worker; it does nothing before it is started or entered.

        Args:
            *args: As for every worker of Prefect.
            **kwargs: As for every worker of Prefect, such as `work_pool_name`.
        """
        super().__init__(*args, **kwargs)
        self._observes = False

    @cached_property
    def _submissions(self) -> KubernetesSubmissions:
        from ._worker.submission import KubernetesSubmissions

        return KubernetesSubmissions(self, _late("KubernetesSettings")())

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Poll the work pool and run what is due, and pick up what a worker before this one left behind.

        Args:
            run_once: Whether to poll once and return.
            with_healthcheck: Whether to serve a page that says whether the worker still polls.
            printer: Told when the worker starts and stops.
        """
        self._submissions.serving = True
        await super().start(run_once=run_once, with_healthcheck=with_healthcheck, printer=printer)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: KubernetesWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> KubernetesWorkerResult:
        """Create the job of a flow run, and watch over it from then on.

        Args:
            flow_run: The run.
            configuration: What it asks for.
            task_status: Told the job's identifier as soon as the job is created.

        Returns:
            The identifier, `namespace:job_name`, with status code 0. The job goes on; its end is learnt by watching.
            The identifier is empty when the run was cancelled before its job was created.

        Raises:
            KubernetesError: If the cluster refuses or cannot be reached. The message names the job, the cause and the
                remedy.
            ValueError: If more is to be stored than the cluster takes.
        """
        job = await self._submissions.submit(flow_run, configuration, task_status)
        return KubernetesWorkerResult(identifier=str(job) if job else "", status_code=0)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: KubernetesWorkerJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Delete a Kubernetes job and its pods.

        Args:
            infrastructure_pid: The job's identifier, `namespace:job_name`, or with the cluster's uid before it as
                older versions wrote it.
            configuration: Names the cluster.
            grace_seconds: Seconds that the container has to end after SIGTERM. Where the pod's own
                `terminationGracePeriodSeconds` (30 by default) is shorter, that holds.

        Raises:
            InfrastructureNotFound: If there is no such job.
            InfrastructureNotAvailable: If the cluster cannot be reached, is not that of the job, or does not let the
                worker delete jobs in its namespace.
        """
        await self._submissions.kill(infrastructure_pid, configuration, grace_seconds)

    async def teardown(self, *exc_info: Any) -> None:
        """Stop watching over jobs, and close what was opened. Jobs go on; the next worker finds them.

        Args:
            *exc_info: The exception that ends the worker, if one does.
        """
        # Not by `finally`: Prefect raises the exception that ends the worker once more, which must not happen while
        # another one is handled. Their causes would become a ring, which anyio goes round for ever.
        async with AsyncExitStack() as exits:
            exits.push_async_callback(self._submissions.close)
            exits.push_async_callback(super().teardown, *exc_info)  # runs that are being submitted come to their end
            exits.push_async_callback(self._submissions.stop_watching)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        # The job of a run that is being submitted has no identifier yet: it is deleted as soon as it has one.
        self._submissions.cancel_requested(flow_run_id)
        await super()._cancel_run(flow_run_id)

    async def __aenter__(self) -> Self:
        """Open the worker: watch over its jobs, and start the observer where that is enabled."""
        await super().__aenter__()
        try:
            await self._submissions.introduce()
            await self._start_observer()
            await self._submissions.open()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        """Close the worker, and stop the observer if no other worker needs it."""
        try:
            await super().__aexit__(*exc_info)
        finally:
            await self._stop_observer()

    async def _start_observer(self) -> None:
        if not _late("KubernetesSettings")().observer.enabled:
            return
        await anyio.to_thread.run_sync(_late("start_observer"))
        self._observes = True

    async def _stop_observer(self) -> None:
        if not self._observes:
            return
        self._observes = False
        with anyio.CancelScope(shield=True):  # its users are counted, also when the worker is interrupted
            await anyio.to_thread.run_sync(_late("stop_observer"))
