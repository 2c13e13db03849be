"""The checks of a namespace and of the job that a work pool makes, one function for each subject."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from prefect_integration_kit.findings import Finding, failed, ok, warning
from prefect_integration_kit.waiting import Backoff

from .._clients import call
from .._observer.raw import Raw, part, parts
from ..errors import KubernetesNotFound

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=2.0, deadline_seconds=5.0)
"""Somebody waits at a terminal."""

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_PULL_SECRET_TYPES = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
_QUANTITY = re.compile(r"([+-]?[\d.]+)([numkMGTPE]|[KMGTPE]i)?")
_UNITS = {
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("num", start=-3)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


async def _read(api: ApiClient, subject: str, method: str, *args: Any) -> Raw:
    """Read something of the core group, as a dictionary with the names of the manifest."""
    from kubernetes_asyncio.client import CoreV1Api

    ask: Callable[..., Awaitable[Any]] = getattr(CoreV1Api(api), method)
    found = await call(subject, lambda: ask(*args), backoff=BACKOFF)
    return cast("Raw", api.sanitize_for_serialization(found))


async def check_namespace(api: ApiClient, name: str) -> list[Finding]:
    """Look whether the namespace is there, and stays."""
    subject = f"Namespace {name!r}"
    try:
        found = await _read(api, subject, "read_namespace", name)
    except KubernetesNotFound:
        remedy = f"Create it by `kubectl create namespace {name}`, or set `namespace` in the work pool."
        return [failed("namespace", f"There is no namespace {name!r}. {remedy}")]
    if found["metadata"].get("deletionTimestamp"):
        return [failed("namespace", f"{subject} is being deleted, and takes no new jobs.")]
    return [ok("namespace", f"{name} is there.")]


async def check_service_account(api: ApiClient, namespace: str, name: str) -> list[Finding]:
    """Look whether the service account of the pods is there."""
    try:
        await _read(
            api,
            f"Service account {name!r} in namespace {namespace!r}",
            "read_namespaced_service_account",
            name,
            namespace,
        )
    except KubernetesNotFound:
        remedy = f"Create it by `kubectl create serviceaccount {name} -n {namespace}`, or correct service_account_name."
        message = f"There is no service account {name!r} in namespace {namespace!r}, so no pod can be made. {remedy}"
        return [failed("service account", message)]
    return [ok("service account", f"{name} is there.")]


# Quotas


async def check_quotas(api: ApiClient, namespace: str, pod: Raw) -> list[Finding]:
    """Look whether the namespace's quotas have room for one more job.

    Args:
        api: The cluster.
        namespace: Where.
        pod: Specification of the job's pod.
    """
    subject = f"Quotas of namespace {namespace!r}"
    found = await _read(api, subject, "list_namespaced_resource_quota", namespace)
    quotas: list[Raw] = found["items"]
    findings: list[Finding] = []
    for quota in quotas:
        status = part(quota, "status")
        hard = part(status, "hard") or part(quota["spec"], "hard")
        used = part(status, "used")
        scoped = quota["spec"].get("scopes") or quota["spec"].get("scopeSelector")
        for key in sorted(hard):
            finding = _of_quota(quota["metadata"]["name"], key, str(used.get(key, "0")), str(hard[key]), pod)
            if finding is not None:
                # A quota with scopes is about some pods only, perhaps not about ours.
                findings.append(finding if not scoped else finding._replace(level=warning("", "").level))
    return findings or [ok("quota", f"No quota of namespace {namespace} stands in the way.")]


def _of_quota(name: str, key: str, used: str, hard: str, pod: Raw) -> Finding | None:
    """Compare one limit with what the job adds; `None` where the limit is about something else."""
    state = f"{name}: {key} is {used} of {hard}"
    if key in ("pods", "count/pods", "count/jobs.batch", "count/secrets", "secrets"):
        is_secret = "secrets" in key
        if quantity(used) + 1 > quantity(hard):
            level = warning if is_secret else failed
            return level("quota", f"{state}. No more fit in: delete what has ended, or have the quota raised.")
        return ok("quota", f"{state}.")
    kind, resource = _amount_of(key)
    if resource is None or not pod["containers"]:
        return None
    amounts = [_amount(container, kind, resource) for container in pod["containers"]]
    if None in amounts:
        variable = f"{resource}_{'limit' if kind == 'limits' else 'request'}"
        remedy = f"Set {variable} in the work pool, unless a LimitRange gives a default."
        return warning("quota", f"{state}, so each container must say its {kind}.{resource}. {remedy}")
    added = sum((quantity(str(amount)) for amount in amounts), Decimal(0))
    if quantity(used) + added > quantity(hard):
        return failed("quota", f"{state}, and the job asks for {added:f} more. Ask for less, or have the quota raised.")
    return ok("quota", f"{state}.")


def _amount_of(key: str) -> tuple[str, str | None]:
    if key in ("cpu", "memory"):
        return "requests", key
    kind, _, resource = key.partition(".")
    return (kind, resource) if kind in ("requests", "limits") and resource in ("cpu", "memory") else (kind, None)


def _amount(container: Raw, kind: str, resource: str) -> Any:
    resources = part(container, "resources")
    kinds = (kind, "limits") if kind == "requests" else (kind,)  # a request is as high as the limit if not given
    return next((part(resources, each)[resource] for each in kinds if resource in part(resources, each)), None)


def quantity(text: str) -> Decimal:
    """Read a quantity of Kubernetes, such as `500m` or `2Gi`.

    Raises:
        ValueError: If it is none. See
            https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
    """
    match = _QUANTITY.fullmatch(text)
    if match is not None:
        return Decimal(match[1]) * _UNITS[match[2] or ""]
    try:
        return Decimal(text)  # 1e3
    except ArithmeticError:
        raise ValueError(f"{text!r} is no quantity, such as '500m' or '2Gi'") from None


# Images


async def check_images(api: ApiClient, namespace: str, pod: Raw, account: str) -> list[Finding]:
    """Look at pull policies, and whether the secrets that images are pulled with fit the images' registries.

    Args:
        api: The cluster.
        namespace: Where.
        pod: Specification of the job's pod.
        account: Name of its service account, which may name secrets, too.
    """
    findings: list[Finding] = []
    images = [(str(container.get("image") or ""), container) for container in _containers(pod)]
    for image, container in images:
        policy = container.get("imagePullPolicy")
        if policy == "Never":
            findings.append(warning("image", f"{image} is never pulled: every node must have it already."))
        elif policy == "IfNotPresent" and is_moving(image):
            findings.append(
                warning(
                    "image",
                    f"{image} may be old on nodes that have it: it is pulled only where it is missing, and its tag is "
                    "one that moves. Use a tag of its own or a digest, or set image_pull_policy to Always.",
                )
            )
        else:
            findings.append(
                ok("image", f"{image}, pulled {'always' if policy == 'Always' else 'where it is missing'}.")
            )
    names = [str(reference["name"]) for reference in parts(pod, "imagePullSecrets")]
    if not names:
        found = await _read(
            api,
            f"Service account {account!r} in namespace {namespace!r}",
            "read_namespaced_service_account",
            account,
            namespace,
        )
        names = [str(reference["name"]) for reference in parts(found, "imagePullSecrets")]
    hosts: set[str] = set()
    for name in names:
        finding, known = await _pull_secret(api, namespace, name)
        findings.append(finding)
        hosts |= known
    if names and hosts:
        findings += [
            warning("registry secret", f"None of {', '.join(names)} is for {host}, where {image} is.")
            for image, host in {image: registry_of(image) for image, _ in images}.items()
            if not _is_known(host, hosts)
        ]
    return findings


async def _pull_secret(api: ApiClient, namespace: str, name: str) -> tuple[Finding, set[str]]:
    step, subject = "registry secret", f"Secret {name!r} in namespace {namespace!r}"
    try:
        found = await _read(api, subject, "read_namespaced_secret", name, namespace)
    except KubernetesNotFound:
        remedy = f"Create it by `kubectl create secret docker-registry {name} -n {namespace}`."
        return failed(step, f"There is no secret {name!r}, which images are to be pulled with. {remedy}"), set()
    key = _PULL_SECRET_TYPES.get(found.get("type", ""))
    if key is None:
        remedy = "Create it by `kubectl create secret docker-registry`."
        return failed(step, f"{name} is of type {found.get('type')}, and no registry secret. {remedy}"), set()
    try:
        content: Any = json.loads(base64.b64decode(part(found, "data").get(key, "")))
        entries: Raw = content["auths"] if key == ".dockerconfigjson" else content
        hosts = {host_of(each) for each in entries}
    except (ValueError, KeyError, TypeError, binascii.Error):
        return failed(step, f"{name} holds no registry credentials that can be read."), set()
    return ok(step, f"{name} is for {', '.join(sorted(hosts)) or 'no registry'}."), hosts


def host_of(registry: str) -> str:
    """Take the host from an entry of a registry secret, such as `https://index.docker.io/v1/`."""
    host = registry.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host in _DOCKER_HUB else host


def registry_of(image: str) -> str:
    """Say which registry an image is pulled from; Docker Hub is `docker.io`."""
    first, slash, _ = image.partition("/")
    return host_of(first) if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def is_moving(image: str) -> bool:
    """Say whether an image's tag is `latest`, named or not, or a channel such as `3-latest`."""
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest") or tag.endswith("-latest")


def _is_known(host: str, hosts: set[str]) -> bool:
    # An entry may be a pattern: https://kubernetes.io/docs/concepts/containers/images/#config-json
    patterns = [re.escape(each).replace(r"\*", "[^.]*") for each in hosts]
    return any(re.fullmatch(pattern, host) for pattern in patterns)


# Secrets and config maps


class _Reference(NamedTuple):
    kind: str
    name: str
    key: str
    is_optional: bool


async def check_references(api: ApiClient, namespace: str, pod: Raw) -> list[Finding]:
    """Look whether the Secrets and ConfigMaps are there that the pod takes variables or files from."""
    findings: list[Finding] = []
    for reference in sorted(set(_references(pod))):
        method = "read_namespaced_secret" if reference.kind == "Secret" else "read_namespaced_config_map"
        what = f"{reference.kind} {reference.name!r}"
        try:
            found = await _read(api, f"{what} in namespace {namespace!r}", method, reference.name, namespace)
        except KubernetesNotFound:
            level = ok if reference.is_optional else failed
            findings.append(level("secrets", f"{what} does not exist; {_consequence(reference)}."))
            continue
        keys = {**part(found, "data"), **part(found, "binaryData")}
        if reference.key and reference.key not in keys:
            level = ok if reference.is_optional else failed
            findings.append(level("secrets", f"{what} has no key {reference.key!r}; {_consequence(reference)}."))
        else:
            findings.append(ok("secrets", f"{what} is there."))
    return findings


def _consequence(reference: _Reference) -> str:
    return "it is optional" if reference.is_optional else "create it, or no container starts"


def _references(pod: Raw) -> Iterator[_Reference]:
    for container in _containers(pod):
        for variable in parts(container, "env"):
            source = part(variable, "valueFrom")
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if each := source.get(field):
                    yield _Reference(kind, each["name"], each.get("key", ""), bool(each.get("optional")))
        for source in parts(container, "envFrom"):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if each := source.get(field):
                    yield _Reference(kind, each["name"], "", bool(each.get("optional")))
    for volume in parts(pod, "volumes"):
        if each := volume.get("secret"):
            yield _Reference("Secret", each["secretName"], "", bool(each.get("optional")))
        if each := volume.get("configMap"):
            yield _Reference("ConfigMap", each["name"], "", bool(each.get("optional")))


def _containers(pod: Raw) -> list[Raw]:
    return [*parts(pod, "initContainers"), *parts(pod, "containers")]
