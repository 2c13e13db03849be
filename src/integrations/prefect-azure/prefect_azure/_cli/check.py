"""`prefect-azure check`: will the first flow run of a work pool start?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefect_integration_kit import pool_checks
from prefect_integration_kit.findings import Finding, failed, ok, warning
from prefect_integration_kit.image_registries import look_up, parse_image

from .._apps.names import registry_host
from .._identity import describe
from ..errors import AzureAccessDenied, AzureError, AzureNotFound, is_transient
from . import jobs
from .arm import Arm
from .jobs import PoolJob, Registry

Json = dict[str, Any]

_ADVICE = "Give variables that have no default by --variable name=value, as deployments would."
_MANY = 0.8
_ACR = ".azurecr."

# Versions of the providers' APIs that have what is read here, and that Azure has had for long.
_RESOURCES, _AUTHORIZATION, _APPS = "2021-04-01", "2022-04-01", "2024-03-01"
_INSTANCES, _IDENTITIES, _NETWORK = "2023-05-01", "2023-01-31", "2023-09-01"
_DELEGATED = "Microsoft.ContainerInstance/containerGroups"


class Inspection:
    """All checks of one work pool.

    Args:
        job: What its flow runs ask for.
        ask_registries: Whether the image's registry is asked for the image.
    """

    def __init__(self, job: PoolJob, *, ask_registries: bool = False) -> None:
        self._job = job
        self._ask_registries = ask_registries
        self._arm = Arm(job.credentials)
        self._who = describe(job.credentials)
        self._location = ""
        self._permissions: dict[str, list[Json]] = {}

    def findings(self) -> Iterator[Finding]:
        """Check one thing after another. Without an identity or a resource group the rest makes no sense."""
        job = self._job
        try:
            self._arm.sign_in()
        except (AzureError, ValueError) as exc:
            yield failed("identity", str(exc))
            return
        yield ok("identity", f"{self._who} can sign in.")
        group = list(guarded("resource group", self._check_group()))
        yield from group
        if any(each.level.value == "failed" for each in group):
            return
        yield from guarded("provider", self._check_provider())
        yield from guarded("permissions", self._check_permissions())
        if job.environment is not None:
            yield from guarded("environment", self._check_environment())
        for subnet in job.subnets:
            yield from guarded("network", self._check_subnet(subnet))
        yield from guarded("quota", self._check_quota())
        for identity in job.identities:
            yield from guarded("identities", self._check_identity(identity))
        yield from guarded("image", self._check_image())

    def _check_group(self) -> Iterator[Finding]:
        job, subject = self._job, f"Resource group {self._job.group!r}"
        try:
            found = self._arm.get(job.group_id, _RESOURCES, subject)
        except AzureNotFound as exc:
            missing = "SubscriptionNotFound" in (getattr(exc, "code", "") or "")
            thing, field = (
                (f"Subscription {job.subscription!r}", "subscription_id")
                if missing
                else (subject, "resource_group_name")
            )
            yield failed("resource group", f"{thing} does not exist. Correct {field} in the work pool.")
            return
        self._location = str(found.get("location") or "")
        yield ok("resource group", f"{job.group} is in {self._location}.")

    def _check_provider(self) -> Iterator[Finding]:
        name, place = self._job.provider, f"/subscriptions/{self._job.subscription}"
        found = self._arm.get(f"{place}/providers/{name}", _RESOURCES, f"Resource provider {name}")
        if str(found.get("registrationState")) == "Registered":
            yield ok("provider", f"{name} is registered.")
        else:
            yield failed(
                "provider",
                f"{name} is {found.get('registrationState')} in the subscription. Run `az provider register "
                f"--namespace {name} --subscription {self._job.subscription}`.",
            )

    def _check_permissions(self) -> Iterator[Finding]:
        job = self._job
        missing = [action for action in job.actions if not self._may(job.group_id, [action])]
        if missing:
            yield failed(
                "permissions",
                f"{self._who} may not {', '.join(missing)}. Grant it the role {job.role!r} on resource group "
                f"{job.group!r}.",
            )
        else:
            yield ok("permissions", f"{self._who} may do what a worker does.")

    def _may(self, scope: str, actions: Sequence[str]) -> bool:
        known = self._permissions.get(scope)
        if known is None:
            path = f"{scope}/providers/Microsoft.Authorization/permissions"
            known = list(self._arm.list(path, _AUTHORIZATION, f"Permissions on {scope}"))
            self._permissions[scope] = known
        return all(is_permitted(action, known) for action in actions)

    def _check_environment(self) -> Iterator[Finding]:
        job = self._job
        assert job.environment is not None  # noqa: S101 - it was asked for
        name = job.environment.name
        subject = f"Container Apps environment {name!r}"
        try:
            found = self._arm.get(job.environment_id, _APPS, subject)
        except AzureNotFound:
            yield failed("environment", f"{subject} does not exist. Correct environment_id in the work pool.")
            return
        properties: Json = found.get("properties") or {}
        state = str(properties.get("provisioningState") or "Succeeded")
        if state != "Succeeded":
            yield failed("environment", f"{subject} is {state}; jobs run in environments that are there.")
            return
        known: Iterable[Json] = properties.get("workloadProfiles") or ()
        profiles = [str(each.get("name")) for each in known]
        if job.profile and job.profile.lower() not in (each.lower() for each in profiles):
            yield failed(
                "environment",
                f"{subject} has no workload profile {job.profile!r}; it has {', '.join(profiles) or 'none'}. Correct "
                "workload_profile_name.",
            )
            return
        self._location = str(found.get("location") or self._location)
        yield ok("environment", f"{name} is in {self._location}.")
        if not self._may(job.environment_id, ["Microsoft.App/managedEnvironments/join/action"]):
            yield failed(
                "environment",
                f"{self._who} may not make jobs in {name}: grant it a role with the action "
                "Microsoft.App/managedEnvironments/join/action on the environment, such as 'Container Apps "
                "ManagedEnvironments Contributor'.",
            )
        logs: Json = properties.get("appLogsConfiguration") or {}
        analytics: Json = logs.get("logAnalyticsConfiguration") or {}
        if analytics.get("customerId"):
            yield ok("logs", "The environment writes to Log Analytics: crashed runs show their last lines.")
        else:
            yield warning(
                "logs",
                "The environment names no Log Analytics workspace, so crashed runs do not show what they printed last. "
                "Set log_analytics_workspace_id if there is one.",
            )

    def _check_subnet(self, subnet: str) -> Iterator[Finding]:
        name = subnet.rpartition("/")[2]
        if not re.fullmatch(r"/subscriptions/.+/virtualNetworks/[^/]+/subnets/[^/]+", subnet, re.IGNORECASE):
            yield failed("network", f"{subnet!r} is no resource ID of a subnet. Correct subnet_ids.")
            return
        try:
            found = self._arm.get(subnet, _NETWORK, f"Subnet {name!r}")
        except AzureNotFound:
            yield failed("network", f"Subnet {name!r} does not exist. Create it, or correct subnet_ids.")
            return
        properties: Json = found.get("properties") or {}
        delegations: Iterable[Json] = properties.get("delegations") or ()
        parts: list[Json] = [each.get("properties") or {} for each in delegations]
        services = {str(each.get("serviceName")).lower() for each in parts}
        if _DELEGATED.lower() not in services:
            yield failed(
                "network", f"Subnet {name!r} is not delegated to {_DELEGATED}, so no container group can join it."
            )
        else:
            yield ok("network", f"Container groups join subnet {name!r}.")

    def _check_quota(self) -> Iterator[Finding]:
        job = self._job
        if job.environment is not None:
            path, version = f"{job.environment_id}/usages", _APPS
        else:
            place = f"/subscriptions/{job.subscription}/providers/{job.provider}"
            path, version = f"{place}/locations/{self._location}/usages", _INSTANCES
        levels: dict[str, list[str]] = {"failed": [], "warning": []}
        for usage in self._arm.list(path, version, f"Quota of {job.title}"):
            limit, current = float(usage.get("limit") or 0), float(usage.get("currentValue") or 0)
            title: Json = usage.get("name") or {}
            name = str(title.get("value"))
            if limit > 0 and current >= _MANY * limit:
                levels["failed" if current >= limit else "warning"].append(f"{name}: {current:g} of {limit:g}")
        remedy = "Ask for more in the Azure portal (Quotas), or let fewer runs go on at a time."
        if levels["failed"]:
            yield failed("quota", f"Used up: {'; '.join(levels['failed'])}. {remedy}")
        if levels["warning"]:
            yield warning("quota", f"Nearly used up: {'; '.join(levels['warning'])}. {remedy}")
        if not any(levels.values()):
            yield ok("quota", "There is room.")

    def _check_identity(self, identity: str) -> Iterator[Finding]:
        name = identity.rpartition("/")[2]
        try:
            self._arm.get(identity, _IDENTITIES, f"Managed identity {name!r}")
        except AzureNotFound:
            yield failed("identities", f"Managed identity {name!r} does not exist. Create it, or correct its ID.")
            return
        if self._may(identity, ["Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"]):
            yield ok("identities", f"{name} is there, and can be given to jobs.")
        else:
            yield failed(
                "identities",
                f"{self._who} may not give the identity {name!r} to jobs: grant it the role 'Managed Identity "
                "Operator' on that identity.",
            )

    def _check_image(self) -> Iterator[Finding]:
        text = self._job.image
        image = parse_image(text)
        if re.search(r"\s", text) or not image.repository or image.repository != image.repository.lower():
            yield failed("image", f"{text!r} is no image, such as 'my-registry.azurecr.io/flows/etl:1'. Correct image.")
            return
        host = registry_host(image.registry)
        registry = next((each for each in self._job.registries if each.host == host), None)
        if _ACR in image.registry and registry is None:
            known = ", ".join(each.host for each in self._job.registries) or "none"
            field = "registries" if self._job.environment is not None else "image_registry"
            yield warning(
                "image",
                f"{text} is in Azure Container Registry, and {field} names no way to pull from {image.registry} (it "
                f"names {known}). Unless everybody may pull, name it there.",
            )
        if image.reference == "latest":
            yield warning("image", f"{text} has no tag of its own: what runs changes with each push. Name a version.")
        yield self._in_registry(text, registry)

    def _in_registry(self, text: str, registry: Registry | None) -> Finding:
        if not self._ask_registries:
            return ok("image", f"Whether {text} exists was not asked (--check-image-registry does).")
        if registry is not None and registry.identity:
            return ok("image", f"{text} is pulled by a managed identity; whether it exists was not asked.")
        field = "registries" if self._job.environment is not None else "image_registry"
        return look_up(
            "image", text, if_private=f"Name them as {field}.", login=registry.login if registry is not None else None
        )


def is_permitted(action: str, permissions: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether one of somebody's permissions allows an action, by the rules of Azure's roles.

    Args:
        action: Such as `Microsoft.App/jobs/write`.
        permissions: Each with `actions` and `notActions`, in which `*` stands for anything.
    """
    return any(
        _matches(action, each.get("actions") or ()) and not _matches(action, each.get("notActions") or ())
        for each in permissions
    )


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(
        re.fullmatch(".*".join(re.escape(piece) for piece in pattern.split("*")), action, re.IGNORECASE)
        for pattern in patterns
    )


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions.

    Args:
        check: What is looked at.
        findings: What is found.
    """

    def is_open(exc: Exception) -> bool:
        # An old or private API that lacks a call says nothing about the pool.
        return isinstance(exc, AzureAccessDenied | AzureNotFound) or is_transient(exc) is not False

    return pool_checks.guarded(check, findings, errors=AzureError, is_open=is_open)


def read_job(work_pool: str, variables: Sequence[str]) -> PoolJob:
    """Read a work pool, and fill its job template.

    Args:
        work_pool: Its name.
        variables: Job variables as `name=value`.

    Raises:
        CommandFailed: If there is no such pool, it is of another type, its template is wrong, or the API does not
            answer.
    """
    values = pool_checks.given_variables(variables)
    kind, configuration = pool_checks.read_configuration(work_pool, _KINDS, values=values, advice=_ADVICE)
    with pool_checks.template_errors(work_pool, _ADVICE):
        return _READERS[kind](configuration)


def _container_instance() -> type[Any]:
    from ..workers.container_instance import AzureContainerJobConfiguration

    return AzureContainerJobConfiguration


def _container_app() -> type[Any]:
    from ..workers.container_apps import AzureContainerAppJobConfiguration

    return AzureContainerAppJobConfiguration


_KINDS = {"azure-container-instance": _container_instance, "azure-container-app-job": _container_app}
_READERS: dict[str, Callable[[Any], PoolJob]] = {
    "azure-container-instance": jobs.of_container_instance,
    "azure-container-app-job": jobs.of_container_app,
}
