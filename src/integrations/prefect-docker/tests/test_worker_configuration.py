"""What a run asks for becomes the arguments of a container; what contradicts itself is refused, with both places."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.templating import apply_values
from pydantic import ValidationError

from prefect_docker import DockerHost
from prefect_docker._worker.devices import device_request
from prefect_docker._worker.identifiers import parse_identifier, same_engine
from prefect_docker._worker.labels import container_name, docker_labels
from prefect_docker._worker.overrides import overridden
from prefect_docker._worker.request import container_options
from prefect_docker.worker import CONTAINER_LABELS, DockerWorker, DockerWorkerJobConfiguration


@pytest.fixture(autouse=True)
def distant_api() -> Iterator[None]:
    """The API is not on this machine, where containers would have to share its network."""
    with temporary_settings({PREFECT_API_URL: "https://prefect.example.com/api"}):
        yield


class FakeVersion:
    """The one thing that is asked of an engine here: which version it is."""

    def __init__(self, version: str = "24.0.1") -> None:
        self._version = version

    def version(self) -> dict[str, str]:
        return {"Version": self._version}


def configured(**variables: Any) -> DockerWorkerJobConfiguration:
    return DockerWorkerJobConfiguration(image="busybox:dev", **variables)


def options_of(
    *, is_local: bool = True, version: str = "24.0.1", logger: logging.Logger | None = None, **variables: Any
) -> dict[str, Any]:
    client: Any = FakeVersion(version)
    return container_options(configured(**variables), client, flow_run_id="r", is_local=is_local, logger=logger)


# The template --------------------------------------------------------------------------------------------------------


def test_a_variable_that_is_not_set_reaches_no_request() -> None:
    assert options_of() == {
        "image": "busybox:dev",
        "environment": {},
        "labels": {"io.prefect.flow-run-id": "r"},
    }


def test_a_new_pool_renders_what_is_set_and_nothing_else() -> None:
    template = DockerWorker.get_default_base_job_template()
    given = {"image": "i:1", "gpus": "all", "ulimits": [{"name": "nofile", "soft": 8}], "cpus": 0.5}
    rendered: Any = apply_values(template["job_configuration"], given)
    assert rendered == given
    configuration = DockerWorkerJobConfiguration(**rendered)
    assert (configuration.gpus, configuration.cpus, configuration.image) == ("all", 0.5, "i:1")
    unset = (configuration.shm_size, configuration.ipc_mode, configuration.runtime, configuration.docker_host)
    assert unset == (None, None, None, None)


@pytest.mark.parametrize(
    ("variable", "value", "argument", "rendered"),
    [
        ("cpus", 1.5, "nano_cpus", 1_500_000_000),
        ("shm_size", "1g", "shm_size", "1g"),
        ("ipc_mode", "host", "ipc_mode", "host"),
        ("runtime", "nvidia", "runtime", "nvidia"),
        ("mem_limit", "300m", "mem_limit", "300m"),
        ("memswap_limit", "-1", "memswap_limit", -1),
        ("privileged", True, "privileged", True),
        (
            "ulimits",
            [{"name": "nofile", "soft": 10}, {"name": "nproc", "soft": 1, "hard": 2}],
            "ulimits",
            [{"Name": "nofile", "Soft": 10, "Hard": 10}, {"Name": "nproc", "Soft": 1, "Hard": 2}],
        ),
        (
            "log_config",
            {"type": "json-file", "config": {"max-size": "1m"}},
            "log_config",
            {"Type": "json-file", "Config": {"max-size": "1m"}},
        ),
    ],
)
def test_a_typed_variable_becomes_its_argument(variable: str, value: Any, argument: str, rendered: Any) -> None:
    assert options_of(**{variable: value})[argument] == rendered


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ("all", {"Count": -1}),
        (2, {"Count": 2}),
        ("2", {"Count": 2}),
        ("device=0,2", {"DeviceIDs": ["0", "2"], "Count": 0}),
        ('"device=GPU-1,GPU-2",capabilities=utility', {"DeviceIDs": ["GPU-1", "GPU-2"]}),
        ("count=3,driver=nvidia", {"Count": 3, "Driver": "nvidia"}),
        ("all,capabilities=utility", None),
        ("none", None),
        ("0", None),
        ("device=", None),
        ("count=2,device=0", None),
        ("count=many", None),
    ],
)
def test_gpus_are_read_as_dockers_command_line_reads_them(gpus: str | int, expected: dict[str, Any] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="gpus is"):
            device_request(gpus)
    else:
        request = device_request(gpus)
        assert expected.items() <= request.items()
        assert request["Capabilities"][0][0] == "gpu"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"mem_limit": "much"}, "'much' is no size"),
        ({"memswap_limit": "2g"}, "`memswap_limit` is given without `mem_limit`"),
        ({"shm_size": "1x"}, "'1x' is no size"),
        ({"gpus": "some"}, "gpus is 'some'"),
        ({"cpus": 0}, "greater than 0"),
        ({"networks": ["a"], "network_mode": "host"}, "`network_mode` is 'host' and `networks` names a"),
        ({"volumes": ["data"]}, "Invalid volume string 'data'"),
        ({"image_pull_policy": "Sometimes"}, "IfPossible"),
    ],
)
def test_a_bad_value_is_refused_by_name(variables: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        configured(**variables)


# What belongs to one run ---------------------------------------------------------------------------------------------


def test_a_run_gives_its_container_name_labels_command_and_environment() -> None:
    run = FlowRun(flow_id=uuid.uuid4(), name="Über the/top run")
    pool = WorkPool(name="shop", type="docker", default_queue_id=uuid.uuid4())
    configuration = configured(env={"A": "1", "PREFECT_API_KEY": None}, labels={"example.com/team": "x", "plain": "y"})
    configuration.prepare_for_flow_run(run, flow=Flow(name="sell", labels={}), work_pool=pool, worker_name="w")
    labels = configuration.labels
    assert labels["io.prefect.flow-run-id"] == str(run.id)
    assert labels["io.prefect.flow-name"] == "sell"
    assert labels["io.prefect.work-pool-name"] == "shop"
    assert labels["io.prefect.worker-name"] == "w"
    assert labels["com.example.team"] == "x"
    assert labels["plain"] == "y"
    assert CONTAINER_LABELS.items() <= labels.items()
    assert configuration.command == "prefect flow-run execute"
    assert configuration.env["PREFECT__FLOW_RUN_ID"] == str(run.id)
    assert "PREFECT_API_KEY" not in configuration.env
    assert container_name(configuration.name) == "Uber-the-top-run"


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("happy-fox", "happy-fox"),
        ("a/b c", "a-b-c"),
        ("--x.y_z--", "x.y_z"),
        ("ß", "ss"),
        ("Lauf-東京", "Lauf-Dong-Jing"),
        ("", None),
        (None, None),
    ],
)
def test_a_containers_name_is_made_legal(name: str | None, legal: str | None) -> None:
    assert container_name(name) == legal


def test_a_label_with_a_namespace_becomes_a_reversed_domain() -> None:
    assert docker_labels({"prefect.io/flow-run-id": "1", "a": "2"}) == {"io.prefect.flow-run-id": "1", "a": "2"}


# Network -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api_url", "variables", "mode", "called", "hosts"),
    [
        ("http://127.0.0.1:4200/api", {}, "host", "http://127.0.0.1:4200/api", None),
        ("http://localhost:4200/api", {}, "host", "http://localhost:4200/api", None),
        ("https://api.example.com/api", {}, None, "https://api.example.com/api", None),
        ("http://localhost:4200/api", {"networks": ["n"]}, None, "http://host.docker.internal:4200/api", True),
        ("http://u:p@localhost/api", {"network_mode": "bridge"}, "bridge", "http://u:p@host.docker.internal/api", True),
        ("http://host.docker.internal:4200/api", {}, None, "http://host.docker.internal:4200/api", True),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the engine's own network is Linux's")
def test_a_container_reaches_an_api_on_this_machine(
    api_url: str, variables: dict[str, Any], mode: str | None, called: str, hosts: bool | None
) -> None:
    configuration = configured(env={"PREFECT_API_URL": api_url}, **variables)
    assert configuration.get_network_mode() == mode
    client: Any = FakeVersion()
    gateway = {"host.docker.internal": "host-gateway"} if hosts else None
    assert configuration.get_extra_hosts(client) == gateway
    options = options_of(env={"PREFECT_API_URL": api_url}, **variables)
    assert options["environment"]["PREFECT_API_URL"] == called
    assert options.get("extra_hosts") == gateway
    assert options.get("network_mode") == mode


def test_the_workers_own_api_decides_where_the_environment_names_none() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:4200/api"}):
        assert configured().get_network_mode() == "host"
        remote = configured(docker_host=DockerHost(base_url="tcp://10.0.0.7:2375"))
        assert remote.get_network_mode() is None


def test_an_engine_that_cannot_map_its_host_is_named_early() -> None:
    with pytest.raises(ValueError, match=r"Docker Engine 19\.03\.1 on Linux cannot map; 20\.10 can"):
        options_of(version="19.03.1", env={"PREFECT_API_URL": "http://localhost/api"}, network_mode="bridge")


# Variables and further arguments -------------------------------------------------------------------------------------


def test_further_arguments_add_to_the_variables() -> None:
    options = options_of(
        env={"A": "1"},
        labels={"a": "1"},
        volumes=["data:/data"],
        ulimits=[{"name": "nofile", "soft": 1}],
        gpus="all",
        container_create_kwargs={
            "environment": ["B=2", "A=1"],
            "labels": {"b": "2"},
            "volumes": {"/srv": {"bind": "/srv", "mode": "ro"}},
            "extra_hosts": {"db": "10.0.0.3"},
            "ulimits": [{"Name": "nproc", "Soft": 2}],
            "device_requests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/device=x"]}],
            "cap_add": ["SYS_PTRACE"],
            "detach": True,
        },
    )
    assert options["environment"] == {"A": "1", "B": "2"}
    assert options["labels"] == {"a": "1", "b": "2", "io.prefect.flow-run-id": "r"}
    assert options["volumes"] == ["data:/data", "/srv:/srv:ro"]
    assert options["extra_hosts"] == {"db": "10.0.0.3"}
    assert [limit["Name"] for limit in options["ulimits"]] == ["nofile", "nproc"]
    assert len(options["device_requests"]) == 2
    assert options["cap_add"] == ["SYS_PTRACE"]
    assert "detach" not in options


def test_a_default_gives_way_to_a_further_argument() -> None:
    options = options_of(container_create_kwargs={"privileged": True, "network_mode": "bridge", "mem_limit": "1g"})
    assert (options["privileged"], options["network_mode"], options["mem_limit"]) == (True, "bridge", "1g")


@pytest.mark.parametrize(
    ("variables", "kwargs", "words"),
    [
        ({}, {"network": "n"}, "the job variable `networks` sets"),
        ({"shm_size": "1g"}, {"shm_size": "2g"}, r"'shm_size' \('2g'\), and the job variable `shm_size`"),
        ({"cpus": 1}, {"nano_cpus": 5}, r"'nano_cpus' \(5\), and the job variable `cpus`"),
        ({"env": {"A": "1"}}, {"environment": {"A": "2"}}, "A stands in the job variable `env` and in 'environment'"),
        (
            {"volumes": ["one:/data"]},
            {"volumes": ["two:/data:ro"]},
            r"mounted at /data: 'one:/data' in `volumes` and 'two:/data:ro' in 'volumes' of",
        ),
        ({"volumes": ["one:/data", "two:/data/"]}, {}, "mounted at /data: 'one:/data' in `volumes` and 'two:/data/'"),
        (
            {"volumes": ["one:/data"]},
            {"mounts": [{"Target": "/data", "Source": "two", "Type": "volume"}]},
            "the mount of 'two' in 'mounts'",
        ),
        ({}, {"volumes": {"/srv": {"mode": "ro"}}}, "'/srv' has no 'bind'"),
        ({"ulimits": [{"name": "nofile", "soft": 1}]}, {"ulimits": [{"name": "nofile"}]}, "The limit 'nofile'"),
        ({"gpus": 1}, {"device_requests": [{"Capabilities": [["gpu"]]}]}, "GPUs are asked for by"),
    ],
)
def test_what_stands_in_two_places_is_refused_with_both(
    variables: dict[str, Any], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        options_of(**variables, container_create_kwargs=kwargs)


@pytest.mark.parametrize(
    ("variables", "kwargs", "words"),
    [
        ({}, {"image": "other"}, "'image' ('other'), which the job variable `image` sets ('busybox:dev')"),
        (
            {"command": "true"},
            {"command": "false"},
            "'command', which the job variable `command` sets: it has no effect",
        ),
        ({"name": "mine"}, {"name": "other"}, "'name' ('other'), which the job variable `name` sets ('mine')"),
        (
            {"mem_limit": "1g"},
            {"mem_limit": "2g"},
            "'mem_limit' ('2g'), which the job variable `mem_limit` sets ('1g')",
        ),
        ({"privileged": True}, {"privileged": False}, "'privileged' (False), which the job variable `privileged`"),
        ({"network_mode": "bridge"}, {"network_mode": "host"}, "'network_mode' ('host'), which the job variable"),
        ({"labels": {"a": "1"}}, {"labels": {"a": "2"}}, "a stands in the job variable `labels` and in 'labels' of"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_an_argument_gives_way_to_the_variable_that_is_as_old_with_a_warning(
    variables: dict[str, Any], kwargs: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("tests.docker")
    assert options_of(**variables, container_create_kwargs=kwargs, logger=logger) == options_of(**variables)
    assert [words in record.getMessage() for record in caplog.records] == [True]


def test_an_argument_that_says_the_same_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    kwargs = {"image": "busybox:dev", "mem_limit": "1g", "labels": {"a": "1"}}
    logger = logging.getLogger("tests.docker")
    options_of(mem_limit="1g", labels={"a": "1"}, container_create_kwargs=kwargs, logger=logger)
    assert not caplog.records


def test_a_size_that_was_cleared_in_a_form_is_not_set() -> None:
    assert options_of(mem_limit="", memswap_limit="", shm_size="") == options_of()


def test_no_option_of_a_log_driver_is_repeated_in_a_refusal() -> None:
    theirs = {"Type": "splunk", "Config": {"splunk-token": "canary-7f3a"}}
    with pytest.raises(ValueError, match="'log_config'") as caught:
        options_of(log_config={"type": "json-file"}, container_create_kwargs={"log_config": theirs})
    assert "canary-7f3a" not in str(caught.value)


def test_a_relative_source_starts_at_the_workers_folder_where_the_engine_is_here() -> None:
    assert options_of(volumes=["./data:/data:ro"])["volumes"] == [f"{os.getcwd()}/data:/data:ro"]
    with pytest.raises(ValueError, match="another machine"):
        options_of(is_local=False, volumes=["./data:/data"])


# The worker's word ---------------------------------------------------------------------------------------------------


def test_a_workers_overrides_replace_what_the_run_asks_for() -> None:
    asked = configured(mem_limit="1g", networks=["n"], env={"A": "1"})
    changed = overridden(asked, {"mem_limit": "2g", "gpus": "all", "docker_host": {"base_url": "tcp://10.0.0.7:2375"}})
    assert (changed.mem_limit, changed.gpus, changed.networks, changed.env) == ("2g", "all", ["n"], {"A": "1"})
    assert changed.docker_host is not None
    assert changed.docker_host.base_url == "tcp://10.0.0.7:2375"
    assert asked.mem_limit == "1g"
    with pytest.raises(ValueError, match="`network_mode` is 'host' and `networks` names n"):
        overridden(asked, {"network_mode": "host"})


# Identifiers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "base_url", "container_id", "names_engine"),
    [
        ("unix:///var/run/docker.sock:0f3a", "unix:///var/run/docker.sock", "0f3a", True),
        ("tcp://10.0.0.7:2376:0f3a", "tcp://10.0.0.7:2376", "0f3a", True),
        ("ssh://me@host:0f3a", "ssh://me@host", "0f3a", True),
        ("http+docker://localhost:0f3a", "http+docker://localhost", "0f3a", False),
        ("http://10.0.0.7:2375:0f3a", "http://10.0.0.7:2375", "0f3a", True),
    ],
)
def test_an_identifier_names_engine_and_container(
    identifier: str, base_url: str, container_id: str, names_engine: bool
) -> None:
    parsed = parse_identifier(identifier)
    assert (*parsed, parsed.names_engine) == (base_url, container_id, names_engine)
    assert str(parsed) == identifier


@pytest.mark.parametrize("text", ["", "0f3a", "cluster::arn:aws:ecs", "unix:///var/run/docker.sock:", "4711"])
def test_what_names_no_container_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not name a Docker container"):
        parse_identifier(text)


def test_one_engine_has_several_spellings() -> None:
    assert same_engine("tcp://Host:2376", "https://host:2376/")
    assert same_engine("unix:///run/d.sock", "http+unix:///run/d.sock")
    assert not same_engine("tcp://host:2376", "tcp://host:2375")
