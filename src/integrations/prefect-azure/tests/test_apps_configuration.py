"""What a work pool or a deployment says, and the job that comes of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.templating import apply_values
from pydantic import ValidationError

from prefect_azure._apps.names import environment_id_in, job_id_in, secret_names
from prefect_azure.container_instance import ACRManagedIdentity
from prefect_azure.workers.container_apps import (
    AzureContainerAppJobConfiguration,
    AzureContainerAppJobWorker,
    AzureContainerAppVariables,
)
from prefect_docker.credentials import DockerRegistryCredentials

ENVIRONMENT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/managedEnvironments/e"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/flows"
SECRET = "https://vault.vault.azure.net/secrets/db"


def configure(manifest: dict[str, Any] | None = None, **variables: Any) -> AzureContainerAppJobConfiguration:
    """A configuration as the base job template makes it."""
    template = AzureContainerAppJobWorker.get_default_base_job_template()
    body = template["job_configuration"]
    if manifest is not None:
        body["job_manifest"] = manifest
    defaults = {
        name: schema["default"]
        for name, schema in template["variables"]["properties"].items()
        if schema.get("default") is not None
    }
    rendered: Any = apply_values(body, {**defaults, "environment_id": ENVIRONMENT, **variables})
    return AzureContainerAppJobConfiguration(**rendered)


def prepared(manifest: dict[str, Any] | None = None, **variables: Any) -> AzureContainerAppJobConfiguration:
    configuration = configure(manifest, **variables)
    configuration.prepare_for_flow_run(FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="Größe 12!"))
    return configuration


def container_of(configuration: AzureContainerAppJobConfiguration) -> dict[str, Any]:
    return configuration.request_of()["properties"]["template"]["containers"][0]


def settings_of(configuration: AzureContainerAppJobConfiguration) -> dict[str, Any]:
    return configuration.request_of()["properties"]["configuration"]


def test_a_pool_that_names_an_environment_alone_makes_a_whole_job() -> None:
    configuration = prepared()
    assert (configuration.subscription, configuration.resource_group) == ("s", "g")
    container, settings = container_of(configuration), settings_of(configuration)
    assert container["image"].startswith("prefecthq/prefect:")
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert "command" not in container  # the image's own entry point
    assert container["resources"] == {"cpu": 0.5, "memory": "1Gi"}
    assert (settings["triggerType"], settings["replicaRetryLimit"], settings["replicaTimeout"]) == ("Manual", 0, 86400)
    assert settings["manualTriggerConfig"] == {"parallelism": 1, "replicaCompletionCount": 1}
    assert "identity" not in configuration.request_of()


def test_every_variable_has_its_place_in_the_job() -> None:
    configuration = prepared(
        subscription_id="other",
        resource_group_name="jobs",
        location="westeurope",
        image="flows:1",
        command="python -m 'a b'",
        entrypoint="/entry.sh --x",
        cpu=2,
        memory="3Gi",
        workload_profile_name="D4",
        replica_timeout=60,
        replica_retry_limit=2,
        identities=["system", IDENTITY],
        tags={"team": "data"},
        volumes=[{"name": "share", "mount_path": "/data", "storage_name": "files", "sub_path": "a"}],
    )
    body = configuration.request_of()
    container, settings = container_of(configuration), settings_of(configuration)
    assert (configuration.subscription, configuration.resource_group) == ("other", "jobs")
    assert (body["location"], body["properties"]["workloadProfileName"]) == ("westeurope", "D4")
    assert (container["image"], container["args"]) == ("flows:1", ["python", "-m", "a b"])
    assert container["command"] == ["/entry.sh", "--x"]
    assert container["resources"] == {"cpu": 2.0, "memory": "3Gi"}
    assert (settings["replicaTimeout"], settings["replicaRetryLimit"]) == (60, 2)
    assert body["identity"] == {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    assert body["tags"]["team"] == "data"
    (volume,) = body["properties"]["template"]["volumes"]
    assert volume == {"name": "share", "storageType": "AzureFile", "storageName": "files"}
    assert container["volumeMounts"] == [{"volumeName": "share", "mountPath": "/data", "subPath": "a"}]


def test_secrets_are_kept_by_the_job_and_by_no_text_of_ours() -> None:
    canaries = ("c4n4ry-key", "c4n4ry-own", "c4n4ry-registry")
    registry = DockerRegistryCredentials(username="u", password=canaries[2], registry_url="https://index.docker.io/v1/")
    configuration = prepared(
        env={"PREFECT_API_KEY": canaries[0], "PLAIN": "1"},
        env_secrets={"db_password": canaries[1]},
        env_from_key_vault={"DB": {"url": SECRET, "identity": IDENTITY}},
        registries=[registry.model_dump()],
    )
    variables = {each["name"]: each for each in container_of(configuration)["env"]}
    secrets = {each["name"]: each for each in settings_of(configuration)["secrets"]}
    assert variables["PLAIN"]["value"] == "1"
    assert secrets[variables["PREFECT_API_KEY"]["secretRef"]]["value"] == canaries[0]
    assert secrets[variables["db_password"]["secretRef"]]["value"] == canaries[1]
    assert secrets[variables["DB"]["secretRef"]] == {"name": "db", "keyVaultUrl": SECRET, "identity": IDENTITY}
    (pulling,) = settings_of(configuration)["registries"]
    assert secrets[pulling["passwordSecretRef"]]["value"] == canaries[2]
    assert pulling["server"] == "docker.io"
    assert {each.get_secret_value() for each in configuration.secret_values} == set(canaries)
    shown = repr(configuration) + json.dumps(configuration.job_manifest) + str(configuration.env)
    assert not [value for value in canaries if value in shown]


def test_identities_that_pull_and_read_are_assigned_to_the_job() -> None:
    registry = ACRManagedIdentity(registry_url="https://x.azurecr.io", identity=IDENTITY)
    configuration = prepared(
        registries=[registry.model_dump(), {"registry_url": "y.azurecr.io", "identity": "system-environment"}],
        env_from_key_vault={
            "DB": {"url": SECRET, "identity": IDENTITY.upper().replace("/SUBSCRIPTIONS", "/subscriptions")}
        },
    )
    assert configuration.request_of()["identity"]["type"] == "UserAssigned"
    assert len(configuration.request_of()["identity"]["userAssignedIdentities"]) == 1
    assert settings_of(configuration)["registries"] == [
        {"server": "x.azurecr.io", "identity": IDENTITY},
        {"server": "y.azurecr.io", "identity": "system-environment"},
    ]


def test_a_manifest_of_one_s_own_is_kept() -> None:
    template = AzureContainerAppJobWorker.get_default_base_job_template()["job_configuration"]["job_manifest"]
    template["properties"]["template"]["containers"].insert(0, {"name": "proxy", "image": "proxy:1"})
    template["properties"]["template"]["volumes"] = [{"name": "scratch", "storageType": "EmptyDir"}]
    template["properties"]["configuration"]["secrets"] = [{"name": "own", "keyVaultUrl": SECRET, "identity": IDENTITY}]
    template["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    template["tags"] = {"cost": "7"}
    configuration = prepared(template, image="flows:1", env={"A": "b"})
    body = configuration.request_of()
    proxy, flow_run = body["properties"]["template"]["containers"]
    assert (proxy, flow_run["image"]) == ({"name": "proxy", "image": "proxy:1"}, "flows:1")
    assert {"name": "A", "value": "b"} in flow_run["env"]
    assert body["properties"]["template"]["volumes"] == [{"name": "scratch", "storageType": "EmptyDir"}]
    assert settings_of(configuration)["secrets"][0]["name"] == "own"
    assert (body["identity"], body["tags"]["cost"]) == (template["identity"], "7")


def test_the_name_is_legal_and_follows_from_the_submission() -> None:
    configuration = prepared()
    name = configuration.name_for("one")
    assert name == configuration.name_for("one") != configuration.name_for("two")
    assert job_id_in(f"/subscriptions/s/resourceGroups/g/providers/Microsoft.App/jobs/{name}").name == name
    assert len(name) <= 32
    assert name.startswith("gr")


def test_variables_that_differ_in_case_alone_have_secrets_of_their_own() -> None:
    assert len(set(secret_names(["KEY", "key", "Key", "_", "-"]).values())) == 5


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"environment_id": "my-environment"}, "no resource ID of a Container Apps environment"),
        ({"cpu": 0.3}, "`cpu` is 0.3; the Consumption plan"),
        ({"cpu": 1, "memory": "3Gi"}, "`cpu` 1 and `memory` 3Gi do not go together"),
        ({"memory": "512Mi"}, "`memory` is '512Mi'; give gibibytes"),
        ({"identities": ["flows"]}, "`identities`: 'flows' is no managed identity"),
        (
            {"env_from_key_vault": {"A": {"url": "db", "identity": IDENTITY}}},
            "'db' is no address of a Key Vault secret",
        ),
        ({"env_from_key_vault": {"A": {"url": SECRET, "identity": "system"}}}, "has no role yet"),
        ({"volumes": [{"name": "v", "mount_path": "/v"}]}, "needs a storage_name"),
        ({"volumes": [{"name": "v", "mount_path": "v", "storage_type": "EmptyDir"}]}, "mount_path"),
        ({"replica_timeout": 0}, "greater than or equal to 1"),
    ],
    ids=["environment", "cpu", "pair", "memory", "identity", "url", "system", "storage", "path", "timeout"],
)
def test_bad_variables_are_refused_by_name(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AzureContainerAppVariables(**{"environment_id": ENVIRONMENT, **variables})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"cpu": 9}, "`cpu` is 9"),
        ({"command": "python 'x"}, "`command` .* Close its quotation marks"),
        ({"registries": [{"registry_url": "x.azurecr.io", "identity": "system"}]}, "`registries`: 'system' is the"),
        (
            {"volumes": [{"name": "v", "mount_path": f"/{n}", "storage_type": "EmptyDir"} for n in "ab"]},
            "two with the name 'v'",
        ),
    ],
    ids=["cpu", "command", "registry", "volumes"],
)
def test_bad_values_are_refused_before_azure_is_asked(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prepared(**variables)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("properties"), "has no properties"),
        (lambda body: body["properties"].pop("template"), r"has no properties\.template"),
        (lambda body: body["properties"]["template"].update(containers=[]), "must be a list with the container"),
        (lambda body: body["properties"]["configuration"].update(triggerType="Schedule"), "it must be 'Manual'"),
    ],
    ids=["properties", "template", "containers", "trigger"],
)
def test_a_manifest_that_is_no_job_is_refused(change: Any, said: str) -> None:
    template = AzureContainerAppJobWorker.get_default_base_job_template()["job_configuration"]["job_manifest"]
    change(template)
    with pytest.raises(ValidationError, match=said):
        configure(template)


def test_a_secret_of_the_manifest_that_collides_is_named() -> None:
    template = AzureContainerAppJobWorker.get_default_base_job_template()["job_configuration"]["job_manifest"]
    template["properties"]["configuration"]["secrets"] = [{"name": "db", "keyVaultUrl": SECRET, "identity": IDENTITY}]
    with pytest.raises(ValueError, match="its secrets db have names"):
        prepared(template, env_secrets={"DB": "x"})


def test_environments_and_jobs_are_read_whatever_their_case() -> None:
    assert environment_id_in(ENVIRONMENT.replace("resourceGroups", "resourcegroups") + "/").name == "e"
    with pytest.raises(ValueError, match="does not name a Container Apps job"):
        job_id_in(ENVIRONMENT)
