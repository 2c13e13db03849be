"""What one flow run asks of Container Instances: templates, environments, networks, registries, secrets."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings
from pydantic import ValidationError

from prefect_azure.container_instance import ENV_SECRETS, ACRManagedIdentity
from prefect_azure.workers.container_instance import AzureContainerJobConfiguration, AzureContainerVariables
from prefect_docker.credentials import DockerRegistryCredentials

from ._aci import configured

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
ANOTHER = IDENTITY.replace("/one", "/another")
SECRET = "canary-7f3a9"


def prepared(**variables: Any) -> AzureContainerJobConfiguration:
    """A configuration as `run` gets it, without the settings of Prefect that are in force where tests run."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    variables["env"] = {**dict.fromkeys(settings), **variables.get("env", {})}
    configuration = configured(**variables)
    run = FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="olive-otter")
    configuration.prepare_for_flow_run(run)
    return configuration


def group_of(configuration: AzureContainerJobConfiguration) -> dict[str, Any]:
    return configuration.arm_template["resources"][0]


def container_of(configuration: AzureContainerJobConfiguration, place: int = 0) -> dict[str, Any]:
    return group_of(configuration)["properties"]["containers"][place]["properties"]


def environment_of(configuration: AzureContainerJobConfiguration, place: int = 0) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in container_of(configuration, place)["environmentVariables"]}


def template(**changes: Any) -> dict[str, Any]:
    """The default template with changes of its container group."""
    made = configured().arm_template
    made["resources"][0]["properties"].update(changes)
    return made


# The container


def test_image_command_and_size_are_put_into_the_template() -> None:
    container = container_of(
        prepared(image="my.azurecr.io/flows:1", command="python -m flows 'a b'", cpu=2, memory=3.5)
    )
    assert container["image"] == "my.azurecr.io/flows:1"
    assert container["command"] == ["/opt/prefect/entrypoint.sh", "python", "-m", "flows", "a b"]
    assert container["resources"] == {"requests": {"cpu": 2.0, "memoryInGB": 3.5}}


def test_a_run_without_a_command_is_executed_by_prefect() -> None:
    command = container_of(prepared())["command"]
    assert command == ["/opt/prefect/entrypoint.sh", "prefect", "flow-run", "execute"]


@pytest.mark.parametrize("entrypoint", [None, ""], ids=["null", "empty"])
def test_images_without_an_entry_point_get_the_command_alone(entrypoint: str | None) -> None:
    assert container_of(prepared(entrypoint=entrypoint, command="echo hello"))["command"] == ["echo", "hello"]


def test_a_command_with_an_open_quotation_mark_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`command` .* Close its quotation marks"):
        prepared(command="echo 'a")


def test_the_image_of_a_template_counts_and_that_of_prefect_where_there_is_none() -> None:
    fixed = template()
    fixed["resources"][0]["properties"]["containers"][0]["properties"]["image"] = "fixed:1"
    bare: Any = {"resource_group_name": "rg", "subscription_id": "sub", "arm_template": fixed}
    configuration = AzureContainerJobConfiguration(**bare)
    configuration.prepare_for_flow_run(FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="x"))
    assert container_of(configuration)["image"] == "fixed:1"
    assert container_of(prepared(arm_template=fixed, image="deployed:1"))["image"] == "deployed:1"
    configuration = configured()
    del group_of(configuration)["properties"]["containers"][0]["properties"]["image"]
    configuration.image = "mine:2"
    configuration.prepare_for_flow_run(FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="x"))
    assert container_of(configuration)["image"] == "mine:2"


def test_gpus_are_asked_for_by_count_and_type() -> None:
    requests = container_of(prepared(gpu_count=2, gpu_sku="V100"))["resources"]["requests"]
    assert requests["gpu"] == {"count": 2, "sku": "V100"}
    assert "gpu" not in container_of(prepared())["resources"]["requests"]


# The environment


def test_variables_of_the_run_come_to_those_of_the_template() -> None:
    own = template()
    own["resources"][0]["properties"]["containers"][0]["properties"]["environmentVariables"] = [
        {"name": "OWN", "value": "kept"},
        {"name": "BOTH", "value": "lost"},
    ]
    environment = environment_of(prepared(arm_template=own, env={"BOTH": "of the run", "NONE": None}))
    assert environment["OWN"]["value"] == "kept"
    assert environment["BOTH"]["value"] == "of the run"
    assert "NONE" not in environment
    assert "PREFECT__FLOW_RUN_ID" in environment


@pytest.mark.parametrize(
    "name", [*ENV_SECRETS, "DB_PASSWORD", "GITHUB_TOKEN", "PREFECT_SERVER_DATABASE_CONNECTION_URL"]
)
def test_secrets_go_out_as_secure_values(name: str) -> None:
    assert environment_of(prepared(env={name: SECRET}))[name] == {"name": name, "secureValue": SECRET}


def test_secrets_stand_in_no_template_that_azure_keeps() -> None:
    registry = DockerRegistryCredentials(username="me", password=SECRET + "-registry", registry_url="r.example")
    volumes = [
        {
            "name": "share",
            "azureFile": {"shareName": "s", "storageAccountName": "a", "storageAccountKey": SECRET + "-key"},
        },
        {"name": "files", "secret": {"password.txt": SECRET + "-file"}},
    ]
    configuration = prepared(
        env={"PREFECT_API_KEY": SECRET}, image_registry=registry, arm_template=template(volumes=volumes)
    )
    request = configuration.deployment_request("group")
    assert SECRET not in json.dumps(request.template)
    kinds = request.template["parameters"]
    values = {name: value["value"] for name, value in request.parameters.items()}
    hidden = {name: value for name, value in values.items() if str(value).startswith(SECRET)}
    assert set(hidden.values()) == {SECRET, SECRET + "-registry", SECRET + "-key", SECRET + "-file"}
    assert {kinds[name]["type"] for name in hidden} == {"secureString"}
    assert set(request.secrets) == set(hidden.values())
    assert SECRET not in repr(configuration.image_registry)


def test_expressions_of_a_template_stay_expressions_though_they_stand_for_secrets() -> None:
    own = template()
    own["parameters"]["key"] = {"type": "secureString", "defaultValue": "x"}
    own["resources"][0]["properties"]["containers"][0]["properties"]["environmentVariables"] = [
        {"name": "KEY", "secureValue": "[parameters('key')]"}
    ]
    request = prepared(arm_template=own).deployment_request("group")
    entries = request.template["resources"][0]["properties"]["containers"][0]["properties"]["environmentVariables"]
    assert entries[0] == {"name": "KEY", "secureValue": "[parameters('key')]"}


@pytest.mark.parametrize("value", ["[1, 2]", "[parameters('container_name')]", "[[x]", "[a] b", "[]"])
def test_values_in_brackets_are_no_expressions(value: str) -> None:
    """Resource Manager would evaluate them; see `test_aci_worker` for what the container gets."""
    entry = environment_of(prepared(env={"LIST": value}))["LIST"]
    assert entry["value"] == (f"[{value}" if value.endswith("]") else value)


# Who pulls and who runs


def test_identities_are_given_to_the_group() -> None:
    assert group_of(prepared(identities=[IDENTITY, ANOTHER]))["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": {IDENTITY: {}, ANOTHER: {}},
    }
    assert "identity" not in group_of(prepared())


def test_identities_of_the_template_stay() -> None:
    own = template()
    own["resources"][0]["identity"] = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {ANOTHER: {}}}
    identity = group_of(prepared(arm_template=own, identities=[IDENTITY]))["identity"]
    assert identity["type"] == "SystemAssigned, UserAssigned"
    assert set(identity["userAssignedIdentities"]) == {IDENTITY, ANOTHER}


@pytest.mark.parametrize("identities", [None, [IDENTITY], [IDENTITY.upper()]], ids=["none", "same", "other case"])
def test_a_managed_identity_pulls_and_belongs_to_the_group(identities: list[str] | None) -> None:
    registry = ACRManagedIdentity(registry_url="my.azurecr.io", identity=IDENTITY)
    group = group_of(prepared(image_registry=registry, identities=identities))
    assert group["properties"]["imageRegistryCredentials"] == [{"server": "my.azurecr.io", "identity": IDENTITY}]
    assert [name.lower() for name in group["identity"]["userAssignedIdentities"]] == [IDENTITY.lower()]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("r.example:5000", "r.example:5000"),
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("http://r.io/", "r.io"),
    ],
)
def test_a_password_pulls_from_the_host_of_the_registry(url: str, server: str) -> None:
    registry = DockerRegistryCredentials(username="me", password=SECRET, registry_url=url)
    entries = group_of(prepared(image_registry=registry))["properties"]["imageRegistryCredentials"]
    assert entries == [{"server": server, "username": "me", "password": SECRET}]


def test_registries_of_the_template_stay_beside_that_of_the_run() -> None:
    own = template(
        imageRegistryCredentials=[{"server": "other.io", "username": "u"}, {"server": "my.io", "username": "u"}]
    )
    registry = ACRManagedIdentity(registry_url="my.io", identity=IDENTITY)
    entries = group_of(prepared(arm_template=own, image_registry=registry))["properties"]["imageRegistryCredentials"]
    assert entries == [{"server": "other.io", "username": "u"}, {"server": "my.io", "identity": IDENTITY}]


def test_subnets_and_dns_servers_are_given_to_the_group() -> None:
    subnets = ["/subscriptions/s/subnets/a", "/subscriptions/s/subnets/b"]
    properties = group_of(prepared(subnet_ids=subnets, dns_servers=["10.0.0.1", "10.0.0.2"]))["properties"]
    assert properties["subnetIds"] == [{"id": subnets[0]}, {"id": subnets[1]}]
    assert properties["dnsConfig"] == {"nameServers": ["10.0.0.1", "10.0.0.2"]}
    assert not {"subnetIds", "dnsConfig"} & group_of(prepared())["properties"].keys()


# Names and tags


def test_tags_say_what_a_group_is_for() -> None:
    configuration = prepared(labels={"team": "a/b", "who/am?i": "x" * 300}, keep_container_group=True)
    tags = group_of(configuration)["tags"]
    assert tags["team"] == "a/b"
    assert tags["who-am-i"] == "x" * 256
    assert tags["prefect-io-keep"] == "true"
    assert tags["prefect-io-flow-run-name"] == "olive-otter"
    assert uuid.UUID(tags["prefect-io-flow-run-id"])
    assert configuration.deployment_request("group").tags == tags


def test_tags_of_the_template_stay_but_for_those_that_workers_read() -> None:
    own = template()
    own["resources"][0]["tags"] = {"cost": "42", "prefect-io-flow-run-id": "forged"}
    tags = group_of(prepared(arm_template=own))["tags"]
    assert tags["cost"] == "42"
    assert uuid.UUID(tags["prefect-io-flow-run-id"])


def test_more_labels_than_azure_takes_tags_leave_out_the_run_s_own_last() -> None:
    tags = group_of(prepared(labels={f"label-{number}": "x" for number in range(80)}))["tags"]
    assert len(tags) == 50
    assert uuid.UUID(tags["prefect-io-flow-run-id"])


@pytest.mark.parametrize("name", ["Über-Otter 3 !", "-", "x" * 100, "9 lives", ""])
def test_names_of_groups_are_legal_and_the_same_for_one_submission(name: str) -> None:
    configuration = configured(name=name)
    made = configuration.name_for("one submission")
    assert len(made) <= 63
    assert made.replace("-", "").isalnum()
    assert made == made.lower()
    assert "--" not in made
    assert made[0].isalpha()
    assert configured(name=name).name_for("one submission") == made
    assert configured(name=name).name_for("another") != made


# Templates of users


def test_the_container_named_by_the_parameter_runs_the_flow_among_others() -> None:
    sidecar = {"name": "proxy", "properties": {"image": "proxy:1", "command": ["serve"]}}
    main = configured().arm_template["resources"][0]["properties"]["containers"][0]
    configuration = prepared(arm_template=template(containers=[sidecar, main]), env={"A": "b"})
    assert container_of(configuration, 0) == {"image": "proxy:1", "command": ["serve"]}
    assert environment_of(configuration, 1)["A"]["value"] == "b"
    assert configuration.container_name("group") == "group"


def test_of_containers_with_names_of_their_own_the_first_runs_the_flow() -> None:
    containers = [{"name": name, "properties": {"image": "i"}} for name in ("main", "other")]
    configuration = prepared(arm_template=template(containers=containers))
    assert "command" in container_of(configuration, 0)
    assert "command" not in container_of(configuration, 1)
    assert configuration.container_name("group") == "main"
    assert group_of(configuration)["tags"]["prefect-io-container"] == "main"


@pytest.mark.parametrize("name", ["my-group", "[concat('a', parameters('container_group_name'))]", None])
def test_a_group_gets_the_worker_s_name_whatever_the_template_says(name: str | None) -> None:
    """Two runs with one name would share a group, and the second end the first."""
    own = template()
    own["resources"][0]["name"] = name
    request = prepared(arm_template=own).deployment_request("made-by-us")
    assert request.template["resources"][0]["name"] == "[parameters('container_group_name')]"
    assert request.parameters["container_group_name"] == {"value": "made-by-us"}


def test_only_parameters_that_the_template_knows_get_values() -> None:
    own = template(containers=[{"name": "main", "properties": {"image": "i"}}])
    del own["parameters"]["container_name"]
    own["parameters"]["zone"] = {"type": "string", "defaultValue": "1"}
    request = prepared(arm_template=own).deployment_request("group")
    assert request.parameters == {"container_group_name": {"value": "group"}}


def test_other_resources_and_symbolic_names_are_left_as_they_are() -> None:
    group = configured().arm_template["resources"][0]
    share = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "x", "properties": {}}
    own = {**configured().arm_template, "languageVersion": "2.0", "resources": {"share": share, "group": group}}
    configuration = prepared(arm_template=own)
    assert configuration.arm_template["resources"]["share"] == share
    assert "command" in configuration.arm_template["resources"]["group"]["properties"]["containers"][0]["properties"]


def test_a_run_is_not_started_again_unless_the_template_says_so() -> None:
    """Azure's own default is to start containers again whatever happens."""
    own = template()
    del own["resources"][0]["properties"]["restartPolicy"]
    assert group_of(prepared(arm_template=own))["properties"]["restartPolicy"] == "Never"
    own = template(restartPolicy="OnFailure")
    assert group_of(prepared(arm_template=own))["properties"]["restartPolicy"] == "OnFailure"


def test_parameters_that_may_be_null_need_no_value() -> None:
    own = template()
    own["parameters"]["zone"] = {"type": "string", "nullable": True}
    assert "zone" not in prepared(arm_template=own).deployment_request("group").parameters


def test_a_template_is_not_changed_by_the_runs_that_use_it() -> None:
    own = template()
    before = json.dumps(own)
    prepared(arm_template=own, env={"A": "b"}, identities=[IDENTITY]).deployment_request("group")
    assert json.dumps(own) == before


@pytest.mark.parametrize(
    ("arm_template", "message"),
    [
        ({}, "no resource of the type Microsoft.ContainerInstance/containerGroups"),
        ({"resources": [{"type": "Microsoft.Web/sites"}]}, "no resource of the type"),
        (template(containers=[]), "no list of containers"),
        (template(containers="x"), "no list of containers"),
        ({**template(), "parameters": {"zone": {"type": "string"}}}, "the parameter 'zone' has no defaultValue"),
        ({**template(), "parameters": ["zone"]}, "parameters is not an object"),
    ],
    ids=["empty", "no group", "no containers", "no list", "no default", "no object"],
)
def test_a_template_that_cannot_work_is_refused_before_azure_is_asked(arm_template: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(arm_template=arm_template)


# Bad input


@pytest.mark.parametrize("kind", [AzureContainerVariables, None], ids=["variables", "configuration"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cpu": 0}, "`cpu` is 0.0; a container needs more than 0 cores"),
        ({"memory": -1}, "`memory` is -1.0; a container needs more than 0 gigabytes"),
        ({"task_start_timeout_seconds": -1}, "`task_start_timeout_seconds` is -1"),
        ({"task_watch_poll_interval": -0.5}, "`task_watch_poll_interval` is -0.5"),
        ({"gpu_count": 1}, "`gpu_count` is given without `gpu_sku`"),
        ({"gpu_sku": "V100"}, "`gpu_sku` is given without `gpu_count`"),
        ({"gpu_count": -1, "gpu_sku": "V100"}, "`gpu_count` is -1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_numbers_that_cannot_be_meant_are_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    make = kind or configured
    with pytest.raises(ValidationError, match=message):
        make(resource_group_name="g", subscription_id="s", **values)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("resource_group_name", "/subscriptions/s/resourceGroups/g", "Give the name alone"),
        ("resource_group_name", "", "is not the name of a resource group"),
        ("resource_group_name", "ends.", "is not the name of a resource group"),
        ("subscription_id", "/subscriptions/x", "Give the ID alone"),
        ("subscription_id", "", "not the ID of a subscription"),
    ],
)
def test_places_that_are_no_names_are_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        configured(**{field: value})
    assert field in str(caught.value)


def test_subscription_and_passwords_stay_out_of_repr() -> None:
    assert SECRET not in repr(configured(subscription_id=SECRET))
    registry = DockerRegistryCredentials(username="me", password=SECRET, registry_url="r.example")
    assert SECRET not in repr(prepared(image_registry=registry))


# The rest of the module


def test_what_became_of_the_infrastructure_block_is_said() -> None:
    with pytest.raises(ImportError, match=r"work-pool create --type azure-container-instance"):
        from prefect_azure.container_instance import AzureContainerInstanceJob  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name"):
        from prefect_azure.container_instance import Nonsense  # noqa: F401


def test_the_worker_s_module_loads_no_sdk() -> None:
    """Every flow run imports it, where the package is installed."""
    heavy = ("azure.mgmt", "azure.identity", "azure.core", "docker.", "requests", "msal", "aiohttp")
    code = f"""
import sys
import prefect.main
before = set(sys.modules)
import prefect_azure.workers.container_instance
print(sorted(name for name in set(sys.modules) - before if name.startswith({heavy!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
