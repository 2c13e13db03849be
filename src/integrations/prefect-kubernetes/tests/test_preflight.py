"""A worker learns at its start which permissions it lacks, from one message that says how to add them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import yaml

from prefect_kubernetes import _preflight
from prefect_kubernetes._clients import open_api
from prefect_kubernetes._preflight import Preflight, permissions, preflight, roles
from prefect_kubernetes.settings import KubernetesSettings

USER = "system:serviceaccount:flows:prefect-worker"
NAMES = [f"{each.verb} {each.resource}" for each in permissions(KubernetesSettings(), "flows") if not each.name]


def rules_of(wanted: list[Any]) -> list[dict[str, Any]]:
    """The rules of permissions, as roles in YAML have them."""
    return [rule for role in roles(wanted) for rule in yaml.safe_load(role)["rules"]]


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight, "_said", set[str]())


@pytest.fixture
def ask(empty_kube_api, make_cluster_config):
    """Asks as a user with rules in the namespace `flows`, and perhaps elsewhere."""
    empty_kube_api.add_namespace("flows")

    async def ask_as(
        rules: list[dict[str, Any]], settings: KubernetesSettings | None = None, everywhere: Any = ()
    ) -> Preflight:
        token = empty_kube_api.add_user(USER, rules, namespace="flows")
        empty_kube_api.access.grant(USER, everywhere)
        async with open_api(make_cluster_config(token)) as api:
            return await preflight(
                api, "flows", settings or KubernetesSettings(), logger=logging.getLogger("preflight")
            )

    return ask_as


@pytest.mark.parametrize("lacking", NAMES)
async def test_one_missing_verb_is_named_with_the_rule_that_adds_it(ask, empty_kube_api, make_cluster_config, lacking):
    wanted = permissions(KubernetesSettings(), "flows")
    granted = [each for each in wanted if str(each) != lacking]
    everywhere = [each for each in granted if not each.namespace]
    found = await ask(rules_of([each for each in granted if each.namespace]), everywhere=rules_of(everywhere))
    [missing] = found.missing
    assert str(missing) == lacking
    assert f"in namespace 'flows': {lacking} (to {missing.purpose})" in found.message
    [role] = yaml.safe_load_all(found.rules)
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "flows")
    empty_kube_api.access.grant(USER, role["rules"], namespace="flows")
    async with open_api(make_cluster_config(empty_kube_api.access.new_token(USER))) as api:
        assert (await _preflight.review(api, wanted)).missing == ()


async def test_a_worker_that_may_do_everything_hears_nothing(ask, caplog):
    found = await ask([], everywhere=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    assert (found.missing, found.is_enough, found.message) == ((), True, "")
    assert len(found.allowed) == len(permissions(KubernetesSettings(), "flows"))
    assert caplog.records == []


async def test_all_that_is_missing_is_said_once_in_one_message(ask, caplog):
    for _ in range(2):
        found = await ask([])
    assert len(found.missing) == len(permissions(KubernetesSettings(), "flows"))
    [record] = [record for record in caplog.records if record.name == "preflight"]
    assert record.levelno == logging.ERROR
    for name in NAMES:
        assert name in record.getMessage()


async def test_what_runs_do_not_need_is_a_warning(ask, caplog):
    found = await ask(rules_of([each for each in permissions(KubernetesSettings(), "flows") if each.is_required]))
    assert found.is_enough
    assert {str(each) for each in found.missing} >= {"get pods/log", "list events", "create secrets"}
    [record] = [record for record in caplog.records if record.name == "preflight"]
    assert record.levelno == logging.WARNING
    assert "It works without these, but not as well" in record.getMessage()


@pytest.mark.parametrize("status", [403, 500])
async def test_a_server_that_does_not_answer_delays_nobody_for_long(ask, empty_kube_api, caplog, monkeypatch, status):
    monkeypatch.setattr(_preflight, "_BACKOFF", _preflight.Backoff(initial_seconds=0.01, deadline_seconds=0.05))
    empty_kube_api.fail("create", "selfsubjectaccessreviews", status)
    found = await ask([])
    assert found.error is not None
    assert found.missing == ()
    assert [record for record in caplog.records if record.levelno > logging.INFO and record.name == "preflight"] == []


def changed(section: str, **values: Any) -> KubernetesSettings:
    settings = KubernetesSettings()
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


@pytest.mark.parametrize(
    ("settings", "is_needed"),
    [
        (changed("worker", protect_secrets="never"), None),
        (changed("worker", protect_secrets="when_allowed"), False),
        (changed("worker", protect_secrets="always"), True),
        (changed("worker", create_secret_for_api_key=True), True),
        (changed("worker", protect_secrets="never", store_env_as_secret=True), True),
    ],
    ids=["never", "when allowed", "always", "api key", "all"],
)
def test_secrets_are_asked_for_as_far_as_they_are_used(settings, is_needed):
    found = [each.is_required for each in permissions(settings, "flows") if each.resource == "secrets"]
    assert found == ([] if is_needed is None else [is_needed])


def test_without_an_observer_nothing_is_watched():
    found = permissions(changed("observer", enabled=False), "flows")
    assert "watch" not in {each.verb for each in found}
    assert {"list jobs", "list pods"} <= {str(each) for each in found}


def test_the_observers_own_namespaces_are_asked_for_too():
    found = permissions(changed("observer", namespaces={"flows", "more"}), "flows")
    assert {each.namespace for each in found if each.verb == "watch"} == {"flows", "more"}
    assert {each.namespace for each in found if each.verb == "create"} == {"flows"}


def test_a_named_cluster_needs_no_look_at_the_namespace_kube_system():
    settings = KubernetesSettings().model_copy(update={"cluster_uid": "mine"})
    assert "namespaces" not in {each.resource for each in permissions(settings, "flows")}


def test_what_concerns_the_whole_cluster_is_a_cluster_role():
    [role] = roles([each for each in permissions(KubernetesSettings(), "flows") if not each.namespace])
    read = yaml.safe_load(role)
    assert read["kind"] == "ClusterRole"
    assert read["rules"] == [
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}
    ]
