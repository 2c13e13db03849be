"""`prefect-kubernetes check`: would the first flow run of a work pool start?"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from prefect_integration_kit.findings import Finding, failed, ok, warning

from .. import _sources
from .._clients import call, open_api
from .._preflight import permissions, review, roles
from .._worker import secrets
from .._worker.manifest import name_job
from ..errors import KubernetesAccessDenied, KubernetesError
from ..settings import KubernetesSettings
from . import checks

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

    from .._worker.configuration import KubernetesWorkerJobConfiguration
    from ..credentials import KubernetesClusterConfig


class CheckFailed(Exception):
    """The check cannot go on; the message names what is wrong and the remedy."""


class Inspection:
    """All checks, one after the other. Where the cluster cannot be reached, the rest makes no sense.

    Args:
        pool: Name of the work pool; `None` for the cluster alone.
        namespace: Namespace of the jobs; that of the pool, else `default`, if not given.
    """

    def __init__(self, pool: str | None = None, namespace: str | None = None) -> None:
        self._pool = pool
        self._namespace = namespace
        self._settings = KubernetesSettings()

    async def findings(self) -> list[Finding]:
        """Check everything, in the order that things depend on each other."""
        return [finding async for finding in self._findings()]

    async def _findings(self) -> AsyncGenerator[Finding, None]:
        configuration = None
        if self._pool is not None:
            try:
                configuration = await read_configuration(self._pool)
            except (CheckFailed, ValueError) as exc:
                yield failed("work pool", str(exc))
                return
            yield ok("work pool", f"{self._pool}: the job template makes a job.")
        namespace = self._namespace or (configuration.namespace if configuration else "default")
        cluster_config = configuration.cluster_config if configuration else None
        try:
            where = describe_source(cluster_config)
            async with open_api(cluster_config, timeout_seconds=10) as api:
                yield await _connection(api, where)
                async for finding in self._of_namespace(api, namespace, configuration):
                    yield finding
        except KubernetesError as exc:
            yield failed("cluster", str(exc))

    async def _of_namespace(
        self, api: ApiClient, namespace: str, configuration: KubernetesWorkerJobConfiguration | None
    ) -> AsyncGenerator[Finding, None]:
        async for finding in self._permissions(api, namespace):
            yield finding
        found = await _guarded("namespace", checks.check_namespace(api, namespace))
        for finding in found:
            yield finding
        if any(finding.level.value == "failed" for finding in found):
            return
        manifest = configuration.job_manifest if configuration else None
        pod: dict[str, Any] = manifest["spec"]["template"]["spec"] if manifest else {"containers": []}
        account = str(pod.get("serviceAccountName") or "default")
        for finding in await _guarded("service account", checks.check_service_account(api, namespace, account)):
            yield finding
        for finding in await _guarded("quota", checks.check_quotas(api, namespace, pod)):
            yield finding
        if manifest is None:
            return
        for finding in await _guarded("image", checks.check_images(api, namespace, pod, account)):
            yield finding
        for finding in await _guarded("secrets", checks.check_references(api, namespace, pod)):
            yield finding
        for finding in await _guarded("job", self._dry_run(api, namespace, manifest)):
            yield finding

    async def _permissions(self, api: ApiClient, namespace: str) -> AsyncGenerator[Finding, None]:
        wanted = permissions(self._settings, namespace)
        found = await review(api, wanted)
        if found.error is not None:
            yield warning("permissions", f"The API server does not say what we may do: {found.error}")
            return
        for permission in wanted:
            place = f"in namespace {permission.namespace!r}" if permission.namespace else "in the whole cluster"
            text = f"{permission} {place}, to {permission.purpose}"
            if permission in found.allowed:
                yield ok("permission", text)
            else:
                note = "It is missing; flow runs need it." if permission.is_required else "It is missing."
                rule = next(iter(roles([permission])))
                level = failed if permission.is_required else warning
                yield level("permission", f"{text}. {note} Add this rule:\n{rule}")

    async def _dry_run(self, api: ApiClient, namespace: str, manifest: dict[str, Any]) -> list[Finding]:
        """Have the API server, with all its admission rules, look at the job without creating it."""
        from kubernetes_asyncio.client import BatchV1Api

        name = "checked"
        protected = secrets.protect(manifest, self._settings.worker, secret_name=name, may_create=True)
        job = name_job(protected.manifest, str(uuid4()))
        job["metadata"]["namespace"] = namespace
        create = cast("Any", BatchV1Api(api)).create_namespaced_job
        await call("The job of a flow run", lambda: create(namespace, job, dry_run="All"))
        return [ok("job", "The API server accepts the job of a flow run.")]


def describe_source(cluster_config: KubernetesClusterConfig | None) -> str:
    """Say where the address and the credentials of the cluster come from.

    Raises:
        KubernetesError: If there are none.
    """
    source = _sources.find(cluster_config)
    _, context = source.read()
    return f"{source.label}, context {context!r}" if context and repr(context) not in source.label else source.label


async def _connection(api: ApiClient, where: str) -> Finding:
    from kubernetes_asyncio.client import VersionApi

    read = cast("Any", VersionApi(api)).get_code
    host = str(cast("Any", api).configuration.host)
    found: Any = await call(f"Cluster at {host} ({where})", read, backoff=checks.BACKOFF)
    return ok("cluster", f"{host} ({where}) answers: Kubernetes {found.git_version}.")


async def _guarded(check: str, findings: Any) -> list[Finding]:
    """Await findings. What may not be looked at is a warning: the worker itself need not look at it."""
    try:
        return list(await findings)
    except KubernetesAccessDenied as exc:
        return [warning(check, f"Could not be checked: {exc}")]
    except (KubernetesError, ValueError) as exc:
        return [failed(check, str(exc))]


async def read_configuration(work_pool: str) -> KubernetesWorkerJobConfiguration:
    """Read a work pool, and make the job of a flow run whose deployment says nothing of its own.

    Raises:
        CheckFailed: If there is no such pool, it is of another type, its template is wrong, or the API does not
            answer.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import FlowRun
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    from .._worker.configuration import KubernetesWorkerJobConfiguration

    try:
        async with get_client() as client:
            pool = await client.read_work_pool(work_pool)
            if pool.type != "kubernetes":
                raise CheckFailed(f"Work pool {work_pool!r} is of type {pool.type!r}, not 'kubernetes'.")
            try:
                configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
                    base_job_template=deepcopy(pool.base_job_template), values={}, client=client
                )
                configuration.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="checked"))
            except (ValueError, KeyError, TypeError) as exc:
                raise CheckFailed(f"The job template of work pool {work_pool!r} is not valid: {_short(exc)}") from exc
    except ObjectNotFound as exc:
        raise CheckFailed(
            f"There is no work pool {work_pool!r}. `prefect work-pool create --type kubernetes {work_pool}` makes it."
        ) from exc
    except (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError) as exc:
        raise CheckFailed(f"The Prefect API does not answer: {exc}. Check PREFECT_API_URL and the profile.") from exc
    return configuration


def _short(error: Exception) -> str:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        # Without the values, which may be secrets.
        return "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'template'}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
