"""Errors say what is wrong and what to do, are the SDK's own as well, and tell what may pass from what will not."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import exceptions as core
from pydantic import SecretStr

from prefect_azure import AzureContainerInstanceCredentials, errors
from prefect_azure.errors import azure_errors, is_transient, translate
from prefect_integration_tests.backends.azurite import Azurite

from ._error_server import AnyToken, ErrorServer, arm_error, error_server

GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerInstance/containerGroups/x"


@pytest.fixture(scope="module")
def arm() -> Iterator[ErrorServer]:
    with error_server() as server:
        yield server


_DENIED = (
    "The client 'a' with object id 'b' does not have authorization to perform action "
    f"'Microsoft.ContainerInstance/containerGroups/read' over scope '{GROUP}' or the scope is invalid. If access was "
    "recently granted, please refresh your credentials."
)
_QUOTA = (
    "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' exceeded in "
    "region 'westeurope'. Limit: '100', Usage: '100' Requested: '1'."
)
ANSWERS: dict[str, tuple[int, dict[str, str], bytes, str, type[Exception], str, bool | float]] = {
    "not-found": (
        404, {}, arm_error("ResourceNotFound", "The Resource 'x' was not found."),
        "AzureNotFound", core.ResourceNotFoundError, r"was not found \(404 ResourceNotFound\)\. Check the name", False,
    ),
    "denied": (
        403, {}, arm_error("AuthorizationFailed", _DENIED),
        "AzureAccessDenied", core.HttpResponseError,
        r"Grant Service principal c a role with the action Microsoft\.ContainerInstance/containerGroups/read on /subs",
        False,
    ),
    "quota": (
        409, {}, arm_error("ContainerGroupQuotaReached", _QUOTA),
        "AzureQuotaExceeded", core.ResourceExistsError, "Limit: '100'.*ask for a higher quota", False,
    ),
    "conflict": (
        409, {}, arm_error("ContainerGroupTransitioning", "The container group 'x' is still transitioning."),
        "AzureConflict", core.ResourceExistsError, "still transitioning", False,
    ),
    "invalid": (
        400, {}, arm_error("InvalidImageName", "The image name is not valid.", details=[{"message": "It has spaces."}]),
        "AzureInvalidRequest", core.HttpResponseError, "is not valid: It has spaces", False,
    ),
    "token-refused": (
        401, {}, arm_error("InvalidAuthenticationToken", "The access token is invalid."),
        "AzureCredentialsRefused", core.ClientAuthenticationError, "token is invalid", False,
    ),
    "token-expired": (
        401, {}, arm_error("ExpiredAuthenticationToken", "The access token expiry is in the past."),
        "AzureCredentialsExpired", core.ClientAuthenticationError, "in the past", False,
    ),
    "precondition": (
        412, {}, arm_error("PreconditionFailed", "The ETag does not match."),
        "AzurePreconditionFailed", core.HttpResponseError, "ETag", False,
    ),
    "throttled": (
        429, {"Retry-After": "17"}, arm_error("SubscriptionRequestsThrottled", "Too many requests."),
        "AzureRateLimited", core.HttpResponseError, "Send fewer", 17.0,
    ),
    "throttled-in-milliseconds": (
        429, {"x-ms-retry-after-ms": "2500"}, b"", "AzureRateLimited", core.HttpResponseError, "429", 2.5,
    ),
    "time-out": (408, {}, b"", "AzureUnavailable", core.HttpResponseError, "Try again later", True),
    "internal": (
        500, {}, arm_error("InternalServerError", "Oops."),
        "AzureUnavailable", core.HttpResponseError, "Oops", True,
    ),
    "gateway": (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>",
        "AzureUnavailable", core.HttpResponseError, r"\(502\)", True),
    "unavailable": (503, {"Retry-After": "3"}, arm_error("ServiceUnavailable", "Busy."),
        "AzureUnavailable", core.HttpResponseError, "Busy", 3.0),
    "gateway-time-out": (504, {}, b"", "AzureUnavailable", core.HttpResponseError, "504", True),
    "teapot": (418, {}, b"", "AzureError", core.HttpResponseError, "418", False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "headers", "body", "ours", "sdks", "said", "transient"), ANSWERS.values(), ids=ANSWERS
)
def test_an_answer_becomes_an_error_that_says_what_to_do(
    arm: ErrorServer,
    status: int,
    headers: dict[str, str],
    body: bytes,
    ours: str,
    sdks: type[Exception],
    said: str,
    transient: bool | float,
) -> None:
    groups = arm.groups()
    arm.answer = (status, {"Content-Type": "application/json", **headers}, body)
    with (
        pytest.raises(core.HttpResponseError, match=f"^Container group 'x': .*{said}") as caught,
        azure_errors("Container group 'x'", identity="Service principal c"),
    ):
        groups.get("g", "x", retry_total=0)
    error = caught.value
    assert type(error).__name__ == ours
    assert isinstance(error, getattr(errors, ours))
    assert isinstance(error, sdks)
    assert error.status_code == error.http_status == status  # pyright: ignore[reportAttributeAccessIssue]
    assert type(error.__cause__).__module__.startswith("azure.")
    assert is_transient(error) == transient
    assert is_transient(error.__cause__) == transient  # pyright: ignore[reportArgumentType]
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert is_transient(again) == transient
    assert isinstance(again, sdks)


def test_a_server_that_does_not_answer_is_transient() -> None:
    block = AzureContainerInstanceCredentials(endpoints={"arm": "http://127.0.0.1:9"}).with_credential(AnyToken())
    with pytest.raises(core.ServiceRequestError) as caught, azure_errors("Container group 'x'"):
        block.get_container_client("s").container_groups.get("g", "x", retry_total=0)
    error = caught.value
    assert isinstance(error, errors.AzureConnectionFailed)
    assert isinstance(error, ConnectionError)
    assert is_transient(error)
    assert "object at 0x" not in str(error)
    assert str(error).startswith("Container group 'x': no answer (")


# What storage says


@pytest.fixture
def missing(azurite: Azurite) -> Any:
    return azurite.client().get_container_client("missing-container")


def test_a_missing_container_is_told_from_a_missing_blob(azurite: Azurite, azure_container: str, missing: Any) -> None:
    with pytest.raises(core.ResourceNotFoundError, match="container does not exist") as caught, azure_errors("c"):
        missing.get_blob_client("b").download_blob()
    assert isinstance(caught.value, errors.ContainerNotFound)
    with pytest.raises(errors.BlobNotFound, match=r"Blob 'b': .*Check the name") as caught, azure_errors("Blob 'b'"):
        azurite.client().get_blob_client(azure_container, "b").download_blob()
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, core.ResourceNotFoundError)


def test_a_blob_that_is_there_names_the_flag(azurite: Azurite, azure_container: str) -> None:
    blob = azurite.client().get_blob_client(azure_container, "b")
    blob.upload_blob(b"1")
    with pytest.raises(errors.BlobExists, match="overwrite=True") as caught, azure_errors("Blob 'b'"):
        blob.upload_blob(b"2")
    assert isinstance(caught.value, core.ResourceExistsError)
    assert isinstance(caught.value, FileExistsError)


# Nothing else


@pytest.mark.parametrize("exc", [ValueError("x"), KeyError("x"), TimeoutError(), FileNotFoundError("x")], ids=repr)
def test_what_is_not_azures_stays_as_it_is(exc: Exception) -> None:
    with pytest.raises(type(exc)) as caught, azure_errors("x"):
        raise exc
    assert caught.value is exc
    assert not is_transient(exc)


@pytest.mark.parametrize(
    ("raised", "expected", "status"),
    [
        (core.ResourceNotFoundError("There is none."), errors.AzureNotFound, 404),
        (core.ResourceExistsError("There is one."), errors.AzureAlreadyExists, 409),
        (core.ResourceModifiedError("It is another one."), errors.AzurePreconditionFailed, 412),
    ],
    ids=["missing", "there", "changed"],
)
def test_a_class_without_a_response_says_enough(
    raised: core.HttpResponseError, expected: type[errors.AzureError], status: int
) -> None:
    """Stubs in users' tests raise them by hand."""
    with pytest.raises(expected, match="Blob 'x'") as caught, azure_errors("Blob 'x'"):
        raise raised
    assert isinstance(caught.value, type(raised))
    assert caught.value.http_status == status


def test_our_own_error_passes_unchanged() -> None:
    error = errors.AzureJobFailed("x")
    with pytest.raises(errors.AzureJobFailed) as caught, azure_errors("y"):
        raise error
    assert caught.value is error
    assert translate(error, "y") is error


def test_a_secret_that_the_service_repeats_is_masked(canary: str, no_canary_leaks: Any) -> None:
    exc = core.HttpResponseError(message=f"The value {canary} is not valid.")
    with pytest.raises(errors.AzureError) as caught, azure_errors("x", secrets=[SecretStr(canary)]):
        raise exc
    no_canary_leaks.add_error(caught.value)
    assert "The value" in str(caught.value)
