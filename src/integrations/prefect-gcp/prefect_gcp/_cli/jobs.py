"""What the flow runs of a work pool ask of Google Cloud, whatever its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ..credentials import GcpCredentials
    from ..workers.cloud_run import CloudRunWorkerJobConfiguration
    from ..workers.cloud_run_v2 import CloudRunWorkerJobV2Configuration
    from ..workers.vertex import VertexAIWorkerJobConfiguration

Json = dict[str, Any]

_RUN = tuple(
    f"run.{name}"
    for name in (
        *("jobs.create", "jobs.get", "jobs.list", "jobs.run", "jobs.delete"),
        *("executions.get", "executions.list", "executions.cancel", "operations.get"),
    )
)
_VERTEX = tuple(f"aiplatform.customJobs.{verb}" for verb in ("create", "get", "list", "cancel", "delete"))
_CONNECTOR = "run.googleapis.com/vpc-access-connector"
_INTERFACES = "run.googleapis.com/network-interfaces"


@dataclass(frozen=True)
class PoolJob:
    """One job of a pool, as far as it can be looked at beforehand.

    Attributes:
        credentials: Who makes it.
        api: Google's name of the API.
        region: Where.
        image: The flow's image.
        project: In which project; that of the credentials when not given.
        service_account: As whom the flow runs; empty for the project's default.
        connector: Serverless VPC connector.
        network: VPC network.
        subnetwork: Subnetwork.
        secrets: What each secret is for, and its name and version.
        permissions: What the worker does.
        most_jobs: How many jobs the region takes; `None` where nobody counts.
    """

    credentials: GcpCredentials
    api: str
    region: str
    image: str
    project: str | None = None
    service_account: str = ""
    connector: str = ""
    network: str = ""
    subnetwork: str = ""
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    permissions: Sequence[str] = ()
    most_jobs: int | None = None


def of_cloud_run_v2(configuration: CloudRunWorkerJobV2Configuration) -> PoolJob:
    """Read a job of Cloud Run's second version."""
    task: Json = _within(configuration.job_body, "template", "template")
    access: Json = task.get("vpcAccess") or {}
    containers: Sequence[Json] = task.get("containers") or [{}]
    interfaces: Sequence[Json] = access.get("networkInterfaces") or [{}]
    return PoolJob(
        credentials=configuration.credentials,
        api="run",
        region=configuration.region,
        image=str(containers[0].get("image") or _default_image()),
        service_account=str(task.get("serviceAccount") or ""),
        connector=str(access.get("connector") or ""),
        network=str(configuration.network or interfaces[0].get("network") or ""),
        subnetwork=str(configuration.subnetwork or interfaces[0].get("subnetwork") or ""),
        secrets=dict(_secrets(configuration, task, containers)),
        permissions=_RUN,
        # https://cloud.google.com/run/quotas#cloud_run_limits
        most_jobs=1000,
    )


def of_cloud_run(configuration: CloudRunWorkerJobConfiguration) -> PoolJob:
    """Read a job of Cloud Run's first version."""
    execution: Json = _within(configuration.job_body, "spec", "template")
    task: Json = _within(execution, "spec", "template", "spec")
    annotations: Json = _within(execution, "metadata", "annotations")
    containers: Sequence[Json] = task.get("containers") or [{}]
    return PoolJob(
        credentials=configuration.credentials or _no_credentials(),
        api="run",
        region=configuration.region,
        image=str(containers[0].get("image") or _default_image()),
        service_account=str(task.get("serviceAccountName") or ""),
        connector=str(annotations.get(_CONNECTOR) or ""),
        secrets=dict(_secrets(configuration, task, containers)),
        permissions=_RUN,
        most_jobs=1000,
    )


def of_vertex(configuration: VertexAIWorkerJobConfiguration) -> PoolJob:
    """Read a custom job of Vertex AI."""
    spec: Json = configuration.job_spec
    pools: Sequence[Json] = spec.get("worker_pool_specs") or spec.get("workerPoolSpecs") or [{}]
    container: Json = pools[0].get("container_spec") or pools[0].get("containerSpec") or {}
    names = ("service_account_name", "service_account", "serviceAccount")
    account = next((spec[name] for name in names if spec.get(name)), "")
    return PoolJob(
        credentials=configuration.credentials or _no_credentials(),
        api="aiplatform",
        region=configuration.region,
        image=str(container.get("image_uri") or container.get("imageUri") or ""),
        service_account=str(account),
        network=str(spec.get("network") or ""),
        permissions=_VERTEX,
    )


def _no_credentials() -> GcpCredentials:
    from ..credentials import GcpCredentials

    return GcpCredentials()


def _default_image() -> str:
    from prefect.utilities.dockerutils import get_prefect_image_name

    return get_prefect_image_name()


def _within(body: Mapping[str, Any], *path: str) -> Json:
    found: Any = body
    for name in path:
        found = cast("Json", found).get(name) if isinstance(found, dict) else None
    return cast("Json", found) if isinstance(found, dict) else {}


def _secrets(configuration: Any, task: Json, containers: Sequence[Json]) -> Iterator[tuple[str, tuple[str, str]]]:
    given: Mapping[str, Any] = configuration.secrets()
    for variable, selector in given.items():
        yield variable, (str(selector.secret), str(selector.version))
    for container in containers:
        variables: Sequence[Json] = container.get("env") or ()
        for variable in variables:
            reference = _within(variable, "valueSource", "secretKeyRef")
            if reference.get("secret"):
                yield str(variable.get("name")), (str(reference["secret"]), str(reference.get("version") or "latest"))
            reference = _within(variable, "valueFrom", "secretKeyRef")
            if reference.get("name"):
                yield str(variable.get("name")), (str(reference["name"]), str(reference.get("key") or "latest"))
    volumes: Sequence[Json] = task.get("volumes") or ()
    for volume in volumes:
        secret: Json = volume.get("secret") or {}
        if secret.get("secret"):
            yield f"volume {volume.get('name')}", (str(secret["secret"]), "latest")
