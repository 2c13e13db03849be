"""`prefect-kubernetes check` finds what would keep the first flow run of a work pool from starting."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from typer.testing import CliRunner, Result

from prefect_kubernetes._cli import checks
from prefect_kubernetes._cli.main import app
from prefect_kubernetes._preflight import permissions
from prefect_kubernetes.settings import KubernetesSettings
from prefect_kubernetes.worker import KubernetesWorker


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def api(empty_kube_api, tmp_path, monkeypatch):
    """The played server; `$KUBECONFIG` leads there, as somebody who may do everything."""
    monkeypatch.setenv("KUBECONFIG", str(empty_kube_api.write_kubeconfig(tmp_path / "config")))
    empty_kube_api.add_namespace("flows")
    return empty_kube_api


@pytest.fixture
def check(api) -> Callable[..., Result]:
    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["check", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return invoke


@pytest.fixture
def pool(prefect_harness: None) -> Callable[..., str]:
    """Makes a work pool whose variables have these defaults."""

    def make(type: str = "kubernetes", **defaults: Any) -> str:  # noqa: A002 - Prefect's word
        template = KubernetesWorker.get_default_base_job_template()
        for name, value in {"namespace": "flows", "image": "registry.example.com/flows:1.4", **defaults}.items():
            template["variables"]["properties"][name]["default"] = value
        name = unique("pool")
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=name, type=type, base_job_template=template))
        return name

    return make


def lines_of(result: Result, step: str) -> list[str]:
    return [line for line in result.stdout.splitlines() if line[2:].startswith(step)]


def test_a_pool_that_can_run_flows_is_ok_and_nothing_is_created(check, pool, api):
    result = check("--pool", pool())
    assert result.exit_code == 0, result.stdout
    assert {line[0] for line in result.stdout.splitlines()} == {"✓"}
    for step in ("work pool", "cluster", "permission", "namespace", "service account", "quota", "image", "job"):
        assert lines_of(result, step), step
    assert "context 'played'" in lines_of(result, "cluster")[0]
    assert api.list("jobs") == []
    assert {call.verb for call in api.calls} <= {"", "get", "list", "create"}
    assert all(call.query.get("dryRun") == "All" for call in api.calls_of("create", "jobs"))


def test_without_a_pool_the_cluster_alone_is_checked(check, api):
    result = check("--namespace", "flows")
    assert result.exit_code == 0, result.stdout
    assert lines_of(result, "permission")
    assert not lines_of(result, "job")


def test_findings_come_as_json_too(check):
    found = json.loads(check("--output", "json").stdout)
    assert {tuple(each) for each in found} == {("check", "level", "message")}
    assert found[0]["check"] == "cluster"


def test_a_missing_verb_is_failed_with_the_rule_to_add(check, api, tmp_path, monkeypatch):
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "delete"]}]
    token = api.add_user("worker", rules, namespace="flows")
    api.access.grant("worker", [{**everything[0], "apiGroups": [""]}])
    monkeypatch.setenv("KUBECONFIG", str(api.write_kubeconfig(tmp_path / "less", token)))
    result = check("-n", "flows")
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("✗")]
    assert line.startswith("✗ permission        create jobs in namespace 'flows', to start flow runs. It is missing")
    assert 'verbs: ["create"]' in result.stdout


def test_what_may_not_be_looked_at_is_a_warning(check, pool, api, tmp_path, monkeypatch):
    token = api.add_user("worker", [])
    for each in permissions(KubernetesSettings(), "flows"):
        rule = {"apiGroups": [each.group], "resources": [each.resource], "verbs": [each.verb]}
        if each.namespace:
            api.access.grant("worker", [rule], namespace=each.namespace)
    monkeypatch.setenv("KUBECONFIG", str(api.write_kubeconfig(tmp_path / "less", token)))
    result = check("--pool", pool())
    assert result.exit_code == 0, result.stdout
    for step in ("namespace", "service account", "quota", "image"):
        [line] = lines_of(result, step)
        assert line.startswith("!"), line
        assert "Could not be checked" in line
    assert lines_of(result, "job")[0].startswith("✓")


def test_a_cluster_that_does_not_answer_is_named_with_its_kubeconfig(check, api, monkeypatch, tmp_path):
    config = api.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    (tmp_path / "away").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "away"))
    monkeypatch.setattr(checks, "BACKOFF", checks.Backoff(initial_seconds=0.01, deadline_seconds=0.05))
    result = check()
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    assert line.startswith("✗ cluster")
    assert "http://127.0.0.1:9" in line
    assert "away" in line


def test_no_kubeconfig_at_all_is_said(check, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    result = check()
    assert result.exit_code == 1
    assert "there is no kubeconfig at" in result.stdout


def test_a_context_that_is_not_there_is_said(check, api, monkeypatch, tmp_path):
    (tmp_path / "wrong").write_text(json.dumps({**api.kubeconfig(), "current-context": "elsewhere"}))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "wrong"))
    result = check()
    assert result.exit_code == 1
    assert "elsewhere" in result.stdout
    assert "played" in result.stdout


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda pool: unique("none"), "There is no work pool"),
        (lambda pool: pool(type="process"), "is of type 'process', not 'kubernetes'"),
        (lambda pool: pool(cpu_request="a lot"), "requests.cpu is 'a lot'; that is no quantity"),
    ],
    ids=["none", "type", "template"],
)
def test_a_pool_that_cannot_be_used_is_said(check, pool, make, said):
    result = check("--pool", make(pool))
    assert result.exit_code == 1
    [line] = lines_of(result, "work pool")
    assert said in line


@pytest.mark.parametrize(
    ("defaults", "step", "said"),
    [
        ({"namespace": "nowhere"}, "namespace", "There is no namespace 'nowhere'. Create it by"),
        ({"service_account_name": "robot"}, "service account", "There is no service account 'robot'"),
        ({"image_pull_secrets": ["lost"]}, "registry secret", "There is no secret 'lost'"),
        ({"image_pull_secrets": ["opaque"]}, "registry secret", "opaque is of type Opaque, and no registry secret"),
        ({"env_from": [{"secretRef": {"name": "lost"}}]}, "secrets", "Secret 'lost' does not exist; create it"),
        ({"volumes": [{"name": "v", "configMap": {"name": "lost"}}]}, "secrets", "ConfigMap 'lost' does not exist"),
        ({"cpu_request": "2", "cpu_limit": "1"}, "job", "must be less than or equal to cpu limit of 1"),
    ],
    ids=["namespace", "account", "pull secret", "pull secret type", "env from", "volume", "dry run"],
)
def test_what_the_job_lacks_is_failed_with_the_remedy(check, pool, api, defaults, step, said):
    api.create("secrets", {"metadata": {"name": "opaque"}, "stringData": {"a": "b"}}, "flows")
    result = check("--pool", pool(**defaults))
    assert result.exit_code == 1
    failed = [line for line in lines_of(result, step) if line.startswith("✗")]
    assert said in " ".join(failed), result.stdout


def test_a_registry_secret_for_another_registry_is_a_warning_and_shows_no_password(check, pool, api, canary):
    content = {"auths": {"https://index.docker.io/v1/": {"username": "u", "password": canary}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(content).encode()).decode()}
    api.create(
        "secrets", {"metadata": {"name": "hub"}, "type": "kubernetes.io/dockerconfigjson", "data": data}, "flows"
    )
    result = check("--pool", pool(image_pull_secrets=["hub"]))
    assert result.exit_code == 0
    assert "None of hub is for registry.example.com" in result.stdout
    assert canary not in result.stdout
    result = check("--pool", pool(image_pull_secrets=["hub"], image="flows:1.4"))
    assert "None of hub" not in result.stdout


@pytest.mark.parametrize(
    ("hard", "defaults", "mark", "said"),
    [
        ({"pods": "1"}, {}, "✓", "quota: pods is 0 of 1."),
        ({"pods": "0"}, {}, "✗", "quota: pods is 0 of 0. No more fit in"),
        ({"count/jobs.batch": "0"}, {}, "✗", "count/jobs.batch is 0 of 0"),
        ({"requests.cpu": "1"}, {}, "!", "Set cpu_request in the work pool"),
        ({"limits.memory": "1Gi"}, {"memory_limit": "2Gi"}, "✗", "the job asks for 2147483648 more"),
        ({"limits.memory": "4Gi"}, {"memory_limit": "2Gi"}, "✓", "limits.memory is 0 of 4Gi"),
    ],
    ids=["room", "pods", "jobs", "unset", "memory", "memory fits"],
)
def test_a_quota_without_room_is_failed(check, pool, api, hard, defaults, mark, said):
    api.create("resourcequotas", {"metadata": {"name": "quota"}, "spec": {"hard": hard}}, "flows")
    result = check("--pool", pool(**defaults))
    [line] = lines_of(result, "quota")
    assert line.startswith(mark)
    assert said in line


@pytest.mark.parametrize(
    ("image", "policy", "said"),
    [
        ("flows:latest", "IfNotPresent", "its tag is one that moves"),
        ("flows:1.4", "Never", "every node must have it already"),
        ("flows@sha256:" + "0" * 64, "IfNotPresent", "pulled where it is missing"),
        ("flows", "Always", "pulled always"),
    ],
    ids=["moving", "never", "digest", "always"],
)
def test_pull_policies_that_surprise_are_said(check, pool, image, policy, said):
    assert said in lines_of(check("--pool", pool(image=image, image_pull_policy=policy)), "image")[0]


def test_the_command_says_its_version():
    from prefect_kubernetes import __version__

    assert CliRunner().invoke(app, ["version"]).stdout.strip() == __version__


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("2Gi", "2147483648"), ("1k", "1000"), ("3", "3"), ("1e3", "1000"), ("1.5M", "1500000")],
)
def test_quantities_are_read(text, value):
    assert checks.quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("flows", "docker.io"),
        ("org/flows:1", "docker.io"),
        ("docker.io/org/flows", "docker.io"),
        ("localhost:5000/flows", "localhost:5000"),
        ("localhost/flows", "localhost"),
        ("registry.example.com/a/b:1", "registry.example.com"),
    ],
)
def test_the_registry_of_an_image_is_told(image, host):
    assert checks.registry_of(image) == host
