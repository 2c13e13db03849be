"""`prefect-azure check` says what would keep the flow runs of a work pool from starting, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prefect_azure import AzureContainerInstanceCredentials, __version__
from prefect_azure._cli.check import Inspection, is_permitted, read_job
from prefect_azure._cli.jobs import PoolJob, Registry
from prefect_azure._cli.main import app
from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.suites import PoolCheckSuite
from prefect_integration_tests.suites.pool_check import Pool, new_pool, saved

from ._arm_documents import Documents, serving

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
PLACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/flows"
ENVIRONMENT = f"{PLACE}/providers/Microsoft.App/managedEnvironments/prod"
IDENTITY = f"{PLACE}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/runner"
SUBNET = f"{PLACE}/providers/Microsoft.Network/virtualNetworks/lake/subnets/flows"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
IMAGE = "mine.azurecr.io/flows/etl:1"
ACTIONS = ("Microsoft.App/jobs/write", "Microsoft.App/jobs/start/action")


def usage(name: str, current: float, limit: float) -> dict[str, Any]:
    return {"name": {"value": name}, "currentValue": current, "limit": limit}


@pytest.fixture
def azure() -> Iterator[Documents]:
    """A subscription in which all is well."""
    there = Documents()
    there.put(PLACE, {"location": "westeurope"})
    for provider in ("Microsoft.App", "Microsoft.ContainerInstance"):
        there.put(f"/subscriptions/{SUBSCRIPTION}/providers/{provider}", {"registrationState": "Registered"})
    for scope in (PLACE, ENVIRONMENT, IDENTITY):
        there.put_list(f"{scope}{PERMISSIONS}", {"actions": ["*"], "notActions": []})
    logs = {"destination": "log-analytics", "logAnalyticsConfiguration": {"customerId": "w"}}
    properties = {
        "provisioningState": "Succeeded",
        "workloadProfiles": [{"name": "Consumption"}, {"name": "D4"}],
        "appLogsConfiguration": logs,
    }
    there.put(ENVIRONMENT, {"location": "westeurope", "properties": properties})
    there.put_list(f"{ENVIRONMENT}/usages", usage("Cores", 2, 100))
    instances = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/westeurope/usages"
    there.put_list(instances, usage("ContainerGroups", 1, 100), usage("StandardCores", 1, 10))
    there.put(IDENTITY, {"name": "runner"})
    delegation = {"properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}
    there.put(SUBNET, {"properties": {"delegations": [delegation]}})
    with serving(there):
        yield there


@pytest.fixture
def make_job(azure: Documents) -> Callable[..., PoolJob]:
    def make(**fields: Any) -> PoolJob:
        from prefect_azure._apps.names import environment_id_in

        endpoints = {"arm": azure.endpoint}
        whole: dict[str, Any] = {
            "credentials": AzureContainerInstanceCredentials.from_token_credential(
                StaticCredential(), endpoints=endpoints
            ),
            "provider": "Microsoft.App",
            "title": "Container Apps",
            "subscription": SUBSCRIPTION,
            "group": "flows",
            "image": IMAGE,
            "actions": ACTIONS,
            "role": "Container Apps Jobs Contributor",
            "identities": [IDENTITY],
            "registries": [Registry("mine.azurecr.io", identity=IDENTITY)],
            "environment": environment_id_in(ENVIRONMENT),
        }
        return PoolJob(**{**whole, **fields})

    return make


@pytest.fixture
def make_group(make_job: Callable[..., PoolJob]) -> Callable[..., PoolJob]:
    """Makes jobs of Container Instances."""

    def make(**fields: Any) -> PoolJob:
        provider = {"provider": "Microsoft.ContainerInstance", "title": "Container Instances", "environment": None}
        return make_job(**provider, **fields)

    return make


def found(job: PoolJob) -> dict[str, str]:
    """What is not well, by check."""
    return {each.check: each.message for each in Inspection(job).findings() if each.level.value != "ok"}


def test_a_pool_in_which_all_is_well_has_no_problem(make_job: Any, make_group: Any) -> None:
    findings = list(Inspection(make_job(profile="D4")).findings())
    assert [each for each in findings if each.level.value != "ok"] == []
    assert {each.check for each in findings} == {
        *("identity", "resource group", "provider", "permissions", "environment", "logs", "quota"),
        *("identities", "image"),
    }
    findings = list(Inspection(make_group(subnets=[SUBNET])).findings())
    assert [each for each in findings if each.level.value != "ok"] == []
    assert {each.check for each in findings} == {
        *("identity", "resource group", "provider", "permissions", "network", "quota", "identities", "image"),
    }


@pytest.mark.parametrize(
    ("fields", "check", "said"),
    [
        ({"group": "other"}, "resource group", "Resource group 'other' does not exist. Correct resource_group_name"),
        ({"profile": "E8"}, "environment", "no workload profile 'E8'; it has Consumption, D4"),
        ({"identities": [f"{IDENTITY}2"]}, "identities", "Managed identity 'runner2' does not exist"),
        ({"image": "No Image"}, "image", "is no image, such as"),
        ({"registries": []}, "image", "registries names no way to pull from mine.azurecr.io"),
        ({"image": "mine.azurecr.io/flows/etl"}, "image", "has no tag of its own"),
    ],
    ids=["group", "profile", "identity", "image", "registry", "tag"],
)
def test_what_is_missing_is_named_with_its_remedy(make_job: Any, fields: dict[str, Any], check: str, said: str) -> None:
    assert said in found(make_job(**fields))[check]


def test_what_is_there_and_not_fit_is_named(make_job: Any, azure: Documents) -> None:
    azure.put(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.App", {"registrationState": "NotRegistered"})
    azure.put_list(f"{PLACE}{PERMISSIONS}", {"actions": ["*/read", ACTIONS[1]], "notActions": []})
    azure.put_list(f"{ENVIRONMENT}{PERMISSIONS}", {"actions": ["*/read"], "notActions": []})
    azure.put_list(f"{IDENTITY}{PERMISSIONS}", {"actions": ["*"], "notActions": ["*/assign/action"]})
    azure.put_list(f"{ENVIRONMENT}/usages", usage("Cores", 100, 100))
    problems = found(make_job())
    assert "az provider register --namespace Microsoft.App" in problems["provider"]
    assert "may not Microsoft.App/jobs/write. Grant it the role 'Container Apps Jobs Contr" in problems["permissions"]
    assert "Microsoft.App/managedEnvironments/join/action" in problems["environment"]
    assert "'Managed Identity Operator'" in problems["identities"]
    assert "Used up: Cores: 100 of 100" in problems["quota"]


def test_an_environment_that_is_not_there_or_not_ready_is_named(make_job: Any, azure: Documents) -> None:
    azure.put(ENVIRONMENT, {"location": "x", "properties": {"provisioningState": "Failed"}})
    assert "'prod' is Failed" in found(make_job())["environment"]
    del azure.at[ENVIRONMENT.lower()]
    assert "does not exist. Correct environment_id" in found(make_job())["environment"]


def test_an_environment_without_logs_is_a_warning(make_job: Any, azure: Documents) -> None:
    azure.put(ENVIRONMENT, {"location": "x", "properties": {}})
    assert "log_analytics_workspace_id" in found(make_job())["logs"]


@pytest.mark.parametrize(
    ("subnet", "said"),
    [
        ("flows", "is no resource ID of a subnet"),
        (f"{SUBNET}2", "Subnet 'flows2' does not exist"),
        (SUBNET, "is not delegated to Microsoft.ContainerInstance"),
    ],
    ids=["id", "missing", "delegation"],
)
def test_a_subnet_that_does_not_fit_is_named(make_group: Any, azure: Documents, subnet: str, said: str) -> None:
    azure.put(SUBNET, {"properties": {"delegations": []}})
    assert said in found(make_group(subnets=[subnet]))["network"]


def test_a_quota_that_is_nearly_used_up_is_a_warning(make_group: Any, azure: Documents) -> None:
    place = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerInstance/locations/westeurope/usages"
    azure.put_list(place, usage("StandardCores", 9, 10), usage("GpuCores", 0, 0))
    (finding,) = [each for each in Inspection(make_group()).findings() if each.check == "quota"]
    assert (finding.level.value, "StandardCores: 9 of 10" in finding.message) == ("warning", True)


def test_what_may_not_be_looked_at_is_a_warning_and_the_rest_is_checked(make_job: Any, azure: Documents) -> None:
    azure.refused.update({"/providers/Microsoft.Authorization": 403, "/usages": 404})
    findings = list(Inspection(make_job()).findings())
    levels = {each.check: each.level.value for each in findings}
    assert levels["permissions"] == levels["quota"] == levels["identities"] == "warning"
    assert levels["provider"] == levels["image"] == "ok"
    assert "failed" not in levels.values()


def test_an_identity_that_cannot_sign_in_ends_the_check(
    make_job: Any, azure_identity: AzureIdentity, clean_azure_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure_identity.reset()
    for name, value in azure_identity.trust_environment().items():
        monkeypatch.setenv(name, value)
    credentials = AzureContainerInstanceCredentials(tenant_id="t", client_id="c", client_secret="wrong-secret")
    (finding,) = Inspection(make_job(credentials=credentials)).findings()
    assert (finding.check, finding.level.value) == ("identity", "failed")
    assert "wrong-secret" not in finding.message


@pytest.mark.parametrize(
    ("actions", "denied", "expected"),
    [
        (["*"], [], True),
        (["Microsoft.App/*"], [], True),
        (["microsoft.app/jobs/WRITE"], [], True),
        (["*/write"], ["Microsoft.App/*"], False),
        (["*/read"], [], False),
        (["Microsoft.AppX/*"], [], False),
        ([], [], False),
    ],
    ids=["all", "provider", "case", "denied", "other", "prefix", "none"],
)
def test_roles_are_read_by_azure_s_rules(actions: list[str], denied: list[str], expected: bool) -> None:
    permission = {"actions": actions, "notActions": denied}
    assert is_permitted("Microsoft.App/jobs/write", [permission]) is expected


# The command


@pytest.mark.usefixtures("prefect_harness")
def test_pools_of_each_type_are_read() -> None:
    registry = {"registry_url": "https://mine.azurecr.io", "identity": IDENTITY}
    pool = new_pool(
        AzureContainerAppJobWorker,
        environment_id=ENVIRONMENT,
        image=IMAGE,
        registries=[registry],
        workload_profile_name="D4",
    )
    job = read_job(pool, [])
    assert (job.provider, job.subscription, job.group, job.image) == ("Microsoft.App", SUBSCRIPTION, "flows", IMAGE)
    assert (job.environment_id, job.profile, list(job.identities)) == (ENVIRONMENT, "D4", [IDENTITY])
    assert job.registries == [Registry("mine.azurecr.io", identity=IDENTITY)]
    assert read_job(pool, ["resource_group_name=jobs"]).group == "jobs"
    pool = new_pool(
        AzureContainerWorker,
        subscription_id=SUBSCRIPTION,
        resource_group_name="flows",
        image=IMAGE,
        image_registry={"registry_url": "mine.azurecr.io", "username": "u", "password": "p"},
        identities=[IDENTITY],
        subnet_ids=[SUBNET],
    )
    job = read_job(pool, [])
    assert (job.provider, job.subscription, job.group) == ("Microsoft.ContainerInstance", SUBSCRIPTION, "flows")
    assert (job.image, list(job.identities), list(job.subnets)) == (IMAGE, [IDENTITY], [SUBNET])
    assert job.registries == [Registry("mine.azurecr.io", login=("u", "p"))]


class TestCommand(PoolCheckSuite):
    app = app
    version = __version__
    spoiling = "workload_profile_name=E8"
    spoiled = "✗ environment       Container Apps environment 'prod' has no workload profile 'E8'"
    still_well = "✓ quota"
    another = "image=busybox"
    lacking = (AzureContainerAppJobWorker, "environment_id")
    other_types = "'azure-container-app-job' and 'azure-container-instance' can be checked"
    login_check = "identity"

    @pytest.fixture
    def machine(
        self, azure_identity: AzureIdentity, clean_azure_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> AzureIdentity:
        """The machine has an identity."""
        azure_identity.reset()
        environment = {**azure_identity.app_service_environment(), **azure_identity.trust_environment()}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return azure_identity

    @pytest.fixture
    def good(self, prefect_harness: None, azure: Documents, machine: AzureIdentity) -> Pool:
        block = AzureContainerInstanceCredentials(identity="managed", endpoints={"arm": azure.endpoint})
        fields = {"environment_id": ENVIRONMENT, "image": "busybox:1", "credentials": saved(block)}
        return AzureContainerAppJobWorker, fields

    @pytest.fixture
    def secret(
        self, prefect_harness: None, azure: Documents, machine: AzureIdentity, canary: str
    ) -> list[tuple[Pool, str]]:
        refused = {
            "tenant_id": machine.tenant_id,
            "client_id": machine.application().client_id,
            "client_secret": canary,
        }
        pools: list[tuple[Pool, str]] = []
        for login, level in (({"identity": "managed"}, "ok"), (refused, "failed")):
            block = AzureContainerInstanceCredentials(**login, endpoints={"arm": azure.endpoint})
            fields = {
                "subscription_id": SUBSCRIPTION,
                "resource_group_name": "flows",
                "image": IMAGE,
                "aci_credentials": saved(block),
                "image_registry": {"registry_url": "mine.azurecr.io", "username": "u", "password": canary},
                "env": {"DB_PASSWORD": canary},
            }
            pools.append(((AzureContainerWorker, fields), level))
        return pools

    def test_what_names_no_environment_is_said(self, new_pool: Callable[..., str]) -> None:
        pool = new_pool(AzureContainerAppJobWorker)
        said = self.run("check", pool, "-v", "environment_id=e").output
        assert "no resource ID of a Container Apps environment" in said
