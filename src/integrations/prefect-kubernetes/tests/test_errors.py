"""What the API server and the connection say becomes an error that names the thing, the cause and the remedy."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import Any

import aiohttp
import pytest
from kubernetes_asyncio.client.exceptions import ApiException, ApiTypeError, OpenApiException
from kubernetes_asyncio.config.config_exception import ConfigException

from prefect_kubernetes import errors, exceptions
from prefect_kubernetes.errors import kube_errors, translate

SUBJECT = "Job 'load' in namespace 'data'"


def answer(code: int, message: str, reason: str = "", **details: Any) -> ApiException:
    """The SDK's exception for a `Status` of the API server."""
    error: Any = ApiException(status=code, reason=reason)
    error.body = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message, "details": details})
    error.headers = {"Retry-After": "7"} if code in (429, 503) else {}
    return error


@pytest.mark.parametrize(
    ("exc", "cls", "said"),
    [
        (answer(401, "Unauthorized", "Unauthorized"), errors.KubernetesCredentialsRefused, "Sign in again"),
        (answer(404, 'jobs.batch "load" not found', name="load"), errors.KubernetesNotFound, "Check the name"),
        (
            answer(404, 'namespaces "data" not found', name="data", kind="namespaces"),
            errors.KubernetesNotFound,
            "Create",
        ),
        (answer(404, "the server could not find the requested resource"), errors.KubernetesNotFound, "api-resources"),
        (answer(409, 'jobs "load" already exists', "AlreadyExists"), errors.KubernetesAlreadyExists, "generateName"),
        (answer(409, "the object has been modified", "Conflict"), errors.KubernetesConflict, "Read the object again"),
        (answer(410, "too old resource version", "Expired"), errors.KubernetesGone, "List again"),
        (answer(429, "slow down", "TooManyRequests"), errors.KubernetesThrottled, "(429)"),
        (answer(500, "etcd leader changed", "InternalError"), errors.KubernetesUnavailable, "(500)"),
        (answer(504, "timed out", "Timeout"), errors.KubernetesTimeout, "(504)"),
        (answer(418, "short and stout"), errors.KubernetesInvalid, "short and stout"),
        (ConfigException("no cluster"), errors.KubernetesConfigInvalid, "no cluster"),
        (ApiTypeError("unexpected keyword argument 'colour'"), errors.KubernetesInvalid, "colour"),
        (aiohttp.ServerDisconnectedError(), errors.KubernetesUnavailable, "was lost"),
        (asyncio.TimeoutError(), errors.KubernetesTimeout, "in time"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_failure_has_a_class_that_says_what_to_do(exc: Exception, cls: type[Exception], said: str) -> None:
    with pytest.raises(cls) as caught, kube_errors(SUBJECT):
        raise exc
    error = caught.value
    assert isinstance(error, errors.KubernetesError)
    assert isinstance(error, type(exc)), "code that catches the SDK's class must go on working"
    assert error.__cause__ is exc
    assert str(error).startswith(f"{SUBJECT}: ")
    assert said in str(error)


def test_what_is_not_the_sdks_passes_unchanged() -> None:
    bug = KeyError("metadata")
    with pytest.raises(KeyError) as caught, kube_errors(SUBJECT):
        raise bug
    assert caught.value is bug


@pytest.mark.parametrize("verb", ["create", "get", "list", "watch", "patch", "update", "delete", "deletecollection"])
def test_a_denial_names_verb_resource_namespace_and_the_rule_to_add(verb: str) -> None:
    message = (
        'jobs.batch is forbidden: User "system:serviceaccount:prefect:worker" cannot '
        f'{verb} resource "jobs/status" in API group "batch" in the namespace "data"'
    )
    error = translate(answer(403, message, "Forbidden"), SUBJECT)
    assert isinstance(error, errors.KubernetesAccessDenied)
    assert isinstance(error, PermissionError)
    found = (error.verb, error.resource, error.api_group, error.namespace, error.user)
    assert found == (verb, "jobs/status", "batch", "data", "system:serviceaccount:prefect:worker")
    assert f'{{apiGroups: ["batch"], resources: ["jobs/status"], verbs: ["{verb}"]}}' in str(error)
    assert "to a Role" in str(error)
    assert "service account prefect/worker" in str(error)


def test_a_denial_for_the_whole_cluster_asks_for_a_cluster_role() -> None:
    message = 'nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope'
    error = translate(answer(403, message, "Forbidden"), SUBJECT)
    assert "ClusterRole" in str(error)
    assert "user 'ann'" in str(error)


def test_an_exceeded_quota_is_told_from_a_missing_permission() -> None:
    message = 'pods "load" is forbidden: exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5'
    error = translate(answer(403, message, "Forbidden"), SUBJECT)
    assert isinstance(error, errors.KubernetesQuotaExceeded)
    assert not isinstance(error, errors.KubernetesAccessDenied)
    assert "small" in str(error)
    assert "ResourceQuota" in str(error)


def test_a_quota_that_wants_requests_says_to_set_them() -> None:
    message = 'pods "load" is forbidden: failed quota: small: must specify limits.cpu for: main'
    error = translate(answer(403, message, "Forbidden"), SUBJECT)
    assert isinstance(error, errors.KubernetesQuotaExceeded)
    assert "requests and limits" in str(error)


def test_a_webhook_that_says_no_is_no_missing_permission() -> None:
    message = 'admission webhook "policy.example.com" denied the request: no root containers'
    error = translate(answer(403, message), SUBJECT)
    assert isinstance(error, errors.KubernetesAdmissionRefused)
    assert "no root containers" in str(error)


def test_an_invalid_object_names_its_fields() -> None:
    causes = [
        {"field": "spec.template.spec.restartPolicy", "message": 'Unsupported value: "Always"'},
        {"field": "metadata.labels", "message": "must be no more than 63 characters"},
    ]
    error = translate(answer(422, 'Job.batch "load" is invalid', "Invalid", causes=causes), SUBJECT)
    assert isinstance(error, errors.KubernetesInvalid)
    assert [name for name, _ in error.fields] == ["spec.template.spec.restartPolicy", "metadata.labels"]
    assert "metadata.labels: must be no more than 63 characters" in str(error)


def test_when_to_come_back_is_read_from_the_answer() -> None:
    for code in (429, 503):
        error: Any = translate(answer(code, "busy"), SUBJECT)
        assert error.retry_after_seconds == 7


def test_an_error_keeps_the_sdks_attributes_and_travels() -> None:
    error: Any = translate(answer(409, "exists", "AlreadyExists"), SUBJECT)
    assert (error.status, error.reason) == (409, "AlreadyExists")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert isinstance(again, ApiException)
        assert (str(again), again.status, again.subject) == (str(error), 409, SUBJECT)


def test_a_secret_that_the_server_repeats_is_masked() -> None:
    exc = answer(
        422, 'Invalid value: "hunter2-hunter2"', causes=[{"field": "data", "message": "hunter2-hunter2 is bad"}]
    )
    error: Any = translate(exc, SUBJECT, secrets=["hunter2-hunter2"])
    assert "hunter2" not in f"{error} {error.body}"


def test_the_published_errors_are_the_sdks_and_pythons() -> None:
    assert issubclass(exceptions.KubernetesJobFailedError, RuntimeError)
    assert issubclass(exceptions.KubernetesJobTimeoutError, TimeoutError)
    assert issubclass(exceptions.KubernetesJobDefinitionError, ValueError)
    for cls in (
        exceptions.KubernetesJobFailedError,
        exceptions.KubernetesJobTimeoutError,
        exceptions.KubernetesJobDefinitionError,
    ):
        assert issubclass(cls, OpenApiException)
    assert isinstance(translate(answer(404, "gone"), SUBJECT), exceptions.KubernetesResourceNotFoundError)


@pytest.mark.parametrize(
    "cls",
    [
        exceptions.KubernetesJobDefinitionError,
        exceptions.KubernetesJobFailedError,
        exceptions.KubernetesJobTimeoutError,
        exceptions.KubernetesResourceNotFoundError,
    ],
    ids=lambda cls: cls.__name__,
)
def test_a_stub_may_raise_the_class_alone(cls: type[Exception]) -> None:
    with pytest.raises(cls) as caught:
        raise cls
    assert str(caught.value) == ""


def test_a_stub_may_make_the_published_error_as_the_sdks_is_made() -> None:
    for error in (
        exceptions.KubernetesResourceNotFoundError(404, "No such job"),
        exceptions.KubernetesResourceNotFoundError(status=404, reason="No such job"),
    ):
        again: Any = pickle.loads(pickle.dumps(error))
        assert (again.status, again.reason) == (404, "No such job")
        assert str(error) == str(again) == str(ApiException(404, "No such job"))
