"""What a run asks Snowflake for: names that cannot break out, values apart from text, keys through secrets only."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prefect_integration_tests.backends.snowpark_spec import read_specification
from prefect_integration_tests.backends.snowpark_sql import command_of
from prefect_snowflake.credentials import SnowflakeCredentials
from prefect_snowflake.experimental.workers._spcs import names, service_login, statements
from prefect_snowflake.experimental.workers._spcs.names import ServiceName
from prefect_snowflake.experimental.workers.settings import SPCSWorkerSettings
from prefect_snowflake.experimental.workers.spcs import (
    SPCSServiceTemplateVariables,
    SPCSWorker,
    SPCSWorkerConfiguration,
)

from ._spcs import PLACE, SETTINGS, configured, quicken

SECRET = "canary-key-5d1c"
SERVICE = ServiceName("JOB_1", "FLOWS", "RUNS")
LOGIN = {"account": "acme", "user": "u", "password": "canary-password-77"}
API_KEY = {"snowflakeSecret": "FLOWS.RUNS.API_KEY", "secretKeyRef": "secret_string", "envVarName": "PREFECT_API_KEY"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


def _configuration(**variables: Any) -> SPCSWorkerConfiguration:
    configuration = configured(**{"snowflake_credentials": SnowflakeCredentials(**LOGIN), **variables})
    run: Any = SimpleNamespace(
        id=uuid4(), name="wise-owl", state=None, created_by=None, parameters={}, labels={}, job_variables={}
    )
    configuration.prepare_for_flow_run(run)
    return configuration


def _request(settings: SPCSWorkerSettings | None = None, **variables: Any) -> statements.JobRequest:
    return _configuration(**variables).job_request("JOB_1", settings or SPCSWorkerSettings())


def _container(request: statements.JobRequest) -> dict[str, Any]:
    return request.specification["spec"]["containers"][0]


def _sent(request: statements.JobRequest) -> str:
    """The text of the statement as the connector sends it."""
    statement = statements.execute_job(SERVICE, request)
    quoted = ["'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'" for value in statement.values]
    return statement.text % tuple(quoted)


# The specification


def test_the_variables_become_a_specification() -> None:
    request = _request(
        image="my-image:1",
        image_registry="/db/schema/repository/",
        command="echo 'two words'",
        env={"A": "1", "EMPTY": ""},
        secrets=[API_KEY, {"snowflakeSecret": {"objectName": "other"}, "directoryPath": "/secrets"}],
        cpu_request="500m",
        cpu_limit="1",
        gpu_count=1,
        memory_limit="2Gi",
        volumes=[{"name": "scratch", "source": "local"}],
        volume_mounts=[{"name": "scratch", "mountPath": "/scratch"}],
        metrics_groups=["system"],
        log_level="ERROR",
    )
    container = _container(request)
    assert container["image"] == "/db/schema/repository/my-image:1"
    assert container["command"] == ["/opt/prefect/entrypoint.sh"]
    assert container["args"] == ["echo", "two words"]
    assert (container["env"]["A"], container["env"]["EMPTY"]) == ("1", "")
    assert container["secrets"][0] == API_KEY
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi", "nvidia.com/gpu": 1}
    assert container["volumeMounts"] == [{"name": "scratch", "mountPath": "/scratch"}]
    assert request.specification["spec"]["platformMonitor"] == {"metricConfig": {"groups": ["system"]}}
    assert request.specification["spec"]["logExporters"] == {"eventTableConfig": {"logLevel": "ERROR"}}
    assert read_specification(statements.specification_text(request.specification)) == request.specification["spec"]


def test_what_has_no_value_is_left_out() -> None:
    request = _request()
    assert set(request.specification["spec"]) == {"containers", "logExporters"}
    assert _container(request)["resources"] == {"requests": {"cpu": "1", "memory": "1G"}, "limits": {"memory": "1G"}}
    assert "secrets" not in _container(request)


@pytest.mark.parametrize(
    ("image", "sent"),
    [
        ("my-image:1", "acme.registry/flows/runs/images/my-image:1"),
        ("team/my-image:1", "acme.registry/flows/runs/images/team/my-image:1"),
        ("/FLOWS/RUNS/images/my-image:1", "/FLOWS/RUNS/images/my-image:1"),
        ("/flows/other/images/my-image:1", "/flows/other/images/my-image:1"),
        ("FLOWS/RUNS/images/my-image:1", "FLOWS/RUNS/images/my-image:1"),
        ("acme.registry/flows/runs/images/my-image:1", "acme.registry/flows/runs/images/my-image:1"),
        ("other.registry:5000/flows/runs/images/my-image:1", "other.registry:5000/flows/runs/images/my-image:1"),
    ],
)
def test_a_registry_stands_before_images_that_name_none(image: str, sent: str) -> None:
    request = _request(image=image, image_registry="acme.registry/flows/runs/images/")
    assert _container(request)["image"] == sent


def test_memory_that_is_asked_for_is_the_limit_unless_there_is_another() -> None:
    resources = _container(_request(memory_request="2Gi", cpu_limit="2"))["resources"]
    assert resources["limits"] == {"cpu": "2", "memory": "2Gi"}
    assert _container(_request(memory_limit="4Gi"))["resources"]["limits"] == {"memory": "4Gi"}
    manifest = {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": 1}}}]}}
    assert _container(_request(job_manifest=manifest))["resources"] == {"requests": {"cpu": 1}}


def test_an_image_with_its_own_entry_point_gets_no_command() -> None:
    assert "command" not in _container(_request(entrypoint=""))


def test_a_manifest_that_spells_out_words_keeps_them() -> None:
    manifest = {
        "spec": {"containers": [{"image": "own:1", "command": ["sh"], "args": ["-c", "true"], "env": {"B": 2}}]}
    }
    container = _container(_request(job_manifest=manifest, image_registry="/db/s/r"))
    assert (container["image"], container["command"], container["args"]) == ("own:1", ["sh"], ["-c", "true"])
    assert container["env"]["B"] == "2"


@pytest.mark.parametrize(
    "manifest", [{}, {"spec": {}}, {"spec": {"containers": []}}, {"spec": {"containers": "x"}}], ids=str
)
def test_a_manifest_without_a_container_is_refused_by_name(manifest: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="job_manifest"):
        _request(job_manifest=manifest)


def test_an_open_quotation_mark_in_the_command_is_said() -> None:
    with pytest.raises(ValueError, match="`command`"):
        _request(command="echo 'a")


def test_a_prepared_manifest_shows_what_the_container_runs_but_no_key() -> None:
    given = {"compute_pool": "small_pool", "command": "echo 'two words'", "image": "i:1", "image_registry": "/d/s/r"}
    configuration = _configuration(**given, env={"A": "1", "B": None, "PREFECT_API_KEY": SECRET})
    [container] = configuration.job_manifest["spec"]["containers"]
    assert container["image"] == "/d/s/r/i:1"
    assert container["command"] == ["/opt/prefect/entrypoint.sh"]
    assert container["args"] == ["echo", "two words"]
    assert container["env"]["A"] == "1"
    assert "PREFECT__FLOW_RUN_ID" in container["env"]
    assert not {"B", "PREFECT_API_KEY"} & set(container["env"])
    assert configuration.compute_pool == "small_pool"
    assert configuration.job_request("JOB_1", SPCSWorkerSettings(api_key_secret="A.B.C")).compute_pool == "SMALL_POOL"


def test_a_manifest_without_a_container_or_with_an_open_quotation_mark_is_refused_when_it_is_prepared() -> None:
    with pytest.raises(ValueError, match="job_manifest"):
        _configuration(job_manifest={"spec": {}})
    with pytest.raises(ValueError, match="`command`"):
        _configuration(command="echo 'a")


def test_a_key_that_a_manifest_spells_out_is_refused_too() -> None:
    container = {"name": "main", "image": "i", "env": {"PREFECT_API_KEY": SECRET}}
    with pytest.raises(ValueError, match="PREFECT_API_KEY is in the run's environment"):
        _request(job_manifest={"spec": {"containers": [container]}})


def test_passwords_of_the_workers_own_database_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_PASSWORD", SECRET)
    assert SECRET not in _sent(_request())


# Keys of the Prefect API


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFECT_API_KEY", SECRET),
        ("PREFECT_API_AUTH_STRING", f"admin:{SECRET}"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", json.dumps({"Proxy-Authorization": SECRET})),
    ],
)
def test_a_key_without_a_secret_is_refused_with_the_remedy(variable: str, value: str) -> None:
    configuration = _configuration(env={variable: value})
    with pytest.raises(ValueError, match=variable) as caught:
        configuration.job_request("JOB_1", SPCSWorkerSettings())
    message = str(caught.value)
    assert "CREATE SECRET" in message
    assert f'"envVarName": "{variable}"' in message
    assert SECRET not in message
    assert SECRET not in repr(configuration)


@pytest.mark.parametrize("variable", ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS"])
def test_a_key_that_has_a_secret_never_stands_in_the_statement(variable: str) -> None:
    request = _request(env={variable: f"auth {SECRET}"}, secrets=[{**API_KEY, "envVarName": variable}])
    assert SECRET not in _sent(request)
    assert variable not in _container(request)["env"]


def test_the_operator_names_the_secret_for_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{SETTINGS}_API_KEY_SECRET", "FLOWS.RUNS.API_KEY")
    monkeypatch.setenv("PREFECT_API_KEY", SECRET)
    request = _request(SPCSWorkerSettings(), env={"PREFECT_API_KEY": SECRET})
    assert _container(request)["secrets"] == [API_KEY]
    assert SECRET not in _sent(request)


def test_a_run_without_a_key_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{SETTINGS}_API_KEY_SECRET", "FLOWS.RUNS.API_KEY")
    assert "secrets" not in _container(_request(SPCSWorkerSettings()))


def test_headers_that_sign_nobody_in_may_be_seen() -> None:
    headers = json.dumps({"X-Team": "data"})
    assert (
        _container(_request(env={"PREFECT_CLIENT_CUSTOM_HEADERS": headers}))["env"]["PREFECT_CLIENT_CUSTOM_HEADERS"]
        == headers
    )


def test_a_key_in_a_container_beside_the_main_one_is_refused() -> None:
    beside = {"name": "beside", "image": "i", "env": {"PREFECT_API_KEY": SECRET}}
    with pytest.raises(ValueError, match="PREFECT_API_KEY"):
        _request(job_manifest={"spec": {"containers": [{"name": "main", "image": "i"}, beside]}})


def test_the_password_of_the_credentials_is_nowhere() -> None:
    configuration = _configuration()
    assert "canary-password-77" not in _sent(configuration.job_request("JOB_1", SPCSWorkerSettings()))
    assert "canary-password-77" not in repr(configuration)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"envVarName": "A"}, "names no secret"),
        ({"snowflakeSecret": "a.b.c"}, "either `envVarName` or `directoryPath`"),
        ({"snowflakeSecret": "a.b.c.d", "envVarName": "A"}, "DATABASE.SCHEMA.NAME"),
        ({"snowflakeSecret": "a; DROP", "envVarName": "A"}, "is not a name"),
    ],
    ids=["no name", "no place", "too many parts", "no identifier"],
)
def test_a_secret_that_cannot_be_meant_is_refused_by_its_place(secret: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"secrets\[0\]") as caught:
        _request(secrets=[secret])
    assert said in str(caught.value)


# Statements


EVIL = ["a'b", 'a"b', "a$$b", "$$; DROP DATABASE X; --", "\\", "\\'", "%s", "%", "?", ":1", "; DROP", "ü\n\x00", "{{"]


@pytest.mark.parametrize("value", EVIL, ids=repr)
def test_no_value_breaks_out_of_a_statement(value: str) -> None:
    request = _request(env={"VALUE": value}, service_comment=value, command=f"echo {json.dumps(value)}")
    command = command_of(_sent(request))
    assert command.kind == "EXECUTE JOB SERVICE"
    assert command.name == ("FLOWS", "RUNS", "JOB_1")
    spec = read_specification(command.options["SPECIFICATION"])
    assert spec["containers"][0]["env"]["VALUE"] == value
    assert command.options["COMMENT"].startswith(value)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_specification_comes_back_as_it_was(name: str, value: str) -> None:
    specification = {"spec": {"containers": [{"env": {name: value}}]}}
    text = statements.specification_text(specification)
    assert "$" not in text
    assert "%" not in text
    assert text.isascii()
    assert json.loads(text) == specification


def test_the_specification_is_yaml() -> None:
    text = statements.specification_text({"spec": {"a": "$$%'\"\\ü"}})
    assert yaml.safe_load(text) == {"spec": {"a": "$$%'\"\\ü"}}


@pytest.mark.parametrize("name", ["a b", 'a"b', "a;b", "a.b", "1a", "a-b", "a'b", "", "ü", "a\n", '"A"'], ids=repr)
def test_a_name_that_needs_quotation_marks_is_refused_where_snowflake_takes_none(name: str) -> None:
    with pytest.raises(ValueError, match="`compute_pool`"):
        names.plain_name(name, "compute_pool")


@pytest.mark.parametrize("name", ["a.b", "a.b.c.d", "a..c", ".b.c", "a.b.", "a.b.c d", 'a."b".c', "a.b;.c"], ids=repr)
def test_a_pool_is_named_alone_or_with_database_and_schema(name: str) -> None:
    with pytest.raises(ValidationError, match="`compute_pool`"):
        _configuration(compute_pool=name)


def test_a_pool_as_earlier_releases_want_it_says_where_jobs_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_DATABASE", "env_db")
    monkeypatch.setenv("SNOWFLAKE_SCHEMA", "env_schema")
    nowhere = {"service_database": None, "service_schema": None}
    for place, expected in ((nowhere, ("DB", "RUNS")), ({**PLACE}, tuple(PLACE.values()))):
        configuration = _configuration(compute_pool="db.Runs.small", **place)
        assert configuration.compute_pool == "db.Runs.small"
        assert configuration.place == expected
        assert _request(compute_pool="db.Runs.small", **place).compute_pool == "SMALL"


@pytest.mark.parametrize("field", ["compute_pool", "service_database", "service_schema"])
def test_a_bad_name_is_refused_with_its_field(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        _configuration(**{**PLACE, field: "a; DROP"})


@pytest.mark.parametrize(
    ("name", "written"), [("wh", '"WH"'), ("Wh_1$", '"WH_1$"'), ('"my wh"', '"my wh"'), ('"a""b"', '"a""b"')], ids=repr
)
def test_other_names_are_written_in_quotation_marks(name: str, written: str) -> None:
    assert names.quoted_name(name, "query_warehouse") == written
    request = _request(query_warehouse=name, external_access_integrations=[name, "other"])
    text = _sent(request)
    assert f"QUERY_WAREHOUSE = {written}" in text
    assert f'EXTERNAL_ACCESS_INTEGRATIONS = ({written}, "OTHER")' in text
    assert command_of(text).options["QUERY_WAREHOUSE"] == written[1:-1].replace('""', '"')


@pytest.mark.parametrize("name", ["a b", 'a"b', '"a"b"', '"', '""', "a;b", "a', 'b"], ids=repr)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="query_warehouse"):
        _configuration(query_warehouse=name)
    with pytest.raises(ValidationError, match="external_access_integrations"):
        _configuration(external_access_integrations=[name])


def test_only_names_that_were_checked_stand_in_other_statements() -> None:
    made = [
        statements.describe_pool("pool"),
        statements.resume_pool("pool"),
        statements.describe_service(SERVICE),
        statements.show_containers(SERVICE),
        statements.drop_service(SERVICE),
    ]
    assert not any(statement.values or "%" in statement.text for statement in made)
    logs = statements.service_logs(SERVICE, "it's", 5, with_times=True)
    assert "it's" not in logs.text
    page = statements.show_jobs("FLOWS", "RUNS", "it's")
    assert page.values == ("it's",)


# Names


@pytest.mark.parametrize("name", ["wise-owl", "Ünïted 1", "1st", "", None, "x" * 300, "'; DROP TABLE t; --"], ids=repr)
def test_names_of_jobs_are_legal_and_the_same_for_a_submission(name: str | None) -> None:
    made = names.service_name(name, "run/state")
    assert names.plain_name(made, "name") == made
    assert len(made) <= 63
    assert made == names.service_name(name, "run/state")
    assert made != names.service_name(name, "run/other")
    assert names.read_identifier(f"DB.S.{made}").name == made
    container = names.container_name(name)
    assert container == container.lower()
    assert len(container) <= 63


@pytest.mark.parametrize(
    "identifier", ["", "a.b", "a.b.c.d", "a b", "DB.S.N; DROP", "run:group", "arn:aws:x"], ids=repr
)
def test_identifiers_of_others_are_not_taken(identifier: str) -> None:
    assert not SPCSWorker(work_pool_name="p").is_job_identifier(identifier)


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_labels_come_back_from_a_comment(comment: str, labels: dict[str, str]) -> None:
    assert names.labels_in(names.comment_of(comment, labels)) == labels


@pytest.mark.parametrize("comment", [None, "", "a comment", "{not json", "[1]", '{"a": {"b": 1'], ids=repr)
def test_a_comment_of_others_has_no_labels(comment: str | None) -> None:
    assert names.labels_in(comment) == {}


def test_a_job_says_whose_it_is() -> None:
    configuration = _configuration(service_comment="our words", keep_service=True, labels={"team": "data"})
    comment = configuration.job_request("JOB_1", SPCSWorkerSettings()).comment
    labels = names.labels_in(comment)
    assert comment.startswith("our words\n")
    assert labels["team"] == "data"
    assert labels[names.KEEP] == "true"
    assert names.flow_run_of(labels) is not None


# Credentials and place


def test_without_credentials_it_is_said_what_is_missing() -> None:
    with pytest.raises(ValidationError, match="`snowflake_credentials` is missing"):
        SPCSWorkerConfiguration(job_manifest={})
    with pytest.raises(ValueError, match="`snowflake_credentials` is missing"):
        SPCSServiceTemplateVariables()


def test_a_worker_inside_snowflake_signs_in_as_its_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token")
    monkeypatch.setattr(service_login, "SERVICE_TOKEN", token)
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "acme")
    monkeypatch.setenv("SNOWFLAKE_HOST", "acme.snowflakecomputing.com")
    monkeypatch.setenv("SNOWFLAKE_DATABASE", "flows")
    monkeypatch.setenv("SNOWFLAKE_SCHEMA", "runs")
    configuration = SPCSWorkerConfiguration(job_manifest={})
    credentials = configuration.snowflake_credentials
    assert (credentials.account, credentials.authenticator) == ("acme", "oauth")
    assert credentials.current_token() == "a-token"
    token.write_text("the next token")
    assert credentials.current_token() == "the next token"
    assert configuration.place == ("FLOWS", "RUNS")


def test_a_schema_without_its_database_is_refused() -> None:
    with pytest.raises(ValidationError, match="`service_schema` is given without `service_database`"):
        _configuration(service_database=None, service_schema="runs")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pool_start_timeout_seconds", -1),
        ("service_start_timeout_seconds", -1),
        ("service_watch_poll_interval", -1),
        ("gpu_count", -1),
        ("log_level", "DEBUG"),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        _configuration(**{field: value})
    with pytest.raises(ValidationError, match=field):
        SPCSServiceTemplateVariables(snowflake_credentials=SnowflakeCredentials(**LOGIN), **{field: value})


@pytest.mark.parametrize(
    ("name", "value"), [("CALL_TIMEOUT_SECONDS", "0"), ("DELETE_TIMEOUT_SECONDS", "-1"), ("STREAM_TAIL_LINES", "x")]
)
def test_a_bad_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"{SETTINGS}_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        SPCSWorkerSettings()
