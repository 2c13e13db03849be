"""Errors of all of Google's SDKs become this package's, stay the SDK's own, and say what to do."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import google.auth.exceptions
import httplib2
import pytest
import requests
from google.api_core import exceptions as api_core
from googleapiclient.errors import HttpError

from prefect_gcp import errors
from prefect_gcp.errors import gcp_errors, is_transient, translate


def _http_error(code: int, message: str = "No.", status: str = "", reason: str = "", **more: Any) -> HttpError:
    """What googleapiclient raises for an answer of Google's front end."""
    error: dict[str, Any] = {"code": code, "message": message, **more}
    if status:
        error["status"] = status
    if reason:
        error["errors"] = [{"domain": "global", "reason": reason, "message": message}]
    answer: Any = httplib2.Response({"status": str(code), "content-type": "application/json"})
    answer.reason = message
    return HttpError(answer, json.dumps({"error": error}).encode(), uri="https://run.googleapis.com/v2/x")


# https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto
_NO_MORE = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RESOURCE_QUOTA_EXCEEDED"}
CASES: list[tuple[str, Exception, type[errors.GcpError], bool]] = [
    ("400", _http_error(400, status="INVALID_ARGUMENT"), errors.GcpInvalidRequest, False),
    ("400-precondition", _http_error(400, status="FAILED_PRECONDITION"), errors.GcpPreconditionFailed, False),
    ("401", _http_error(401, status="UNAUTHENTICATED"), errors.GcpCredentialsRefused, False),
    ("403", _http_error(403, status="PERMISSION_DENIED"), errors.GcpAccessDenied, False),
    ("403-rate", _http_error(403, reason="rateLimitExceeded"), errors.GcpRateLimited, True),
    ("403-quota", _http_error(403, reason="quotaExceeded"), errors.GcpQuotaExceeded, False),
    ("403-disabled", _http_error(403, reason="accessNotConfigured"), errors.GcpServiceDisabled, False),
    ("404", _http_error(404, status="NOT_FOUND"), errors.GcpNotFound, False),
    ("408", _http_error(408), errors.GcpUnavailable, True),
    ("409", _http_error(409, status="ALREADY_EXISTS"), errors.GcpAlreadyExists, False),
    ("409-aborted", _http_error(409, status="ABORTED"), errors.GcpConflict, True),
    ("412", _http_error(412, reason="conditionNotMet"), errors.GcpPreconditionFailed, False),
    ("429", _http_error(429, status="RESOURCE_EXHAUSTED"), errors.GcpRateLimited, True),
    ("429-resources", _http_error(429, details=[_NO_MORE]), errors.GcpQuotaExceeded, False),
    ("429-daily", _http_error(429, "Quota exceeded for requests per day."), errors.GcpQuotaExceeded, False),
    ("500", _http_error(500, status="INTERNAL"), errors.GcpUnavailable, True),
    ("502", _http_error(502), errors.GcpUnavailable, True),
    ("503", _http_error(503, status="UNAVAILABLE"), errors.GcpUnavailable, True),
    ("504", _http_error(504), errors.GcpUnavailable, True),
    ("rpc-not-found", api_core.NotFound("No."), errors.GcpNotFound, False),
    ("rpc-denied", api_core.PermissionDenied("No."), errors.GcpAccessDenied, False),
    ("rpc-exists", api_core.AlreadyExists("No."), errors.GcpAlreadyExists, False),
    ("rpc-aborted", api_core.Aborted("No."), errors.GcpConflict, True),
    ("rpc-exhausted", api_core.ResourceExhausted("No."), errors.GcpRateLimited, True),
    ("rpc-broken-off", api_core.Unknown("Stream removed"), errors.GcpUnavailable, True),
    ("rpc-cancelled", api_core.Cancelled("Received RST_STREAM"), errors.GcpUnavailable, True),
    ("rpc-deadline", api_core.DeadlineExceeded("No."), errors.GcpUnavailable, True),
    ("rpc-precondition", api_core.PreconditionFailed("No."), errors.GcpPreconditionFailed, False),
    ("rpc-retried", api_core.RetryError("No.", api_core.ServiceUnavailable("No.")), errors.GcpUnavailable, True),
    ("requests", requests.exceptions.ConnectionError("refused"), errors.GcpConnectionFailed, True),
    ("requests-timeout", requests.exceptions.ReadTimeout("timed out"), errors.GcpConnectionFailed, True),
    ("reset", ConnectionResetError(104, "Connection reset by peer"), errors.GcpConnectionFailed, True),
    ("socket-timeout", TimeoutError("timed out"), errors.GcpConnectionFailed, True),
    ("token-transport", google.auth.exceptions.TransportError("refused"), errors.GcpConnectionFailed, True),
    ("token-503", google.auth.exceptions.RefreshError("x", retryable=True), errors.GcpUnavailable, True),
    ("token-refused", google.auth.exceptions.RefreshError("invalid_grant: x"), errors.GcpCredentialsRefused, False),
    ("no-adc", google.auth.exceptions.DefaultCredentialsError("x"), errors.GcpCredentialsMissing, False),
    ("malformed", google.auth.exceptions.MalformedError("x"), errors.GcpCredentialsError, False),
]


@pytest.mark.parametrize(("raised", "expected", "transient"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_an_error_is_of_both_classes_and_says_whether_it_passes(raised, expected, transient):
    with pytest.raises(expected, match="Job 'j': ") as caught, gcp_errors("Job 'j'"):
        raise raised
    assert type(caught.value).__name__ == expected.__name__
    assert isinstance(caught.value, type(raised)) or isinstance(raised, api_core.RetryError)
    assert caught.value.__cause__ is raised
    assert bool(is_transient(caught.value)) is transient
    assert bool(is_transient(raised)) is transient


@pytest.mark.parametrize("raised", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_an_error_survives_the_journey_to_another_process(raised):
    error = translate(raised, "Job 'j'")
    assert error is not None
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert (again.http_status, again.status, again.subject) == (error.http_status, error.status, "Job 'j'")


def test_what_the_sdk_tells_of_an_error_stays_readable():
    error: Any = translate(_http_error(404, status="NOT_FOUND"), "Job 'j'")
    assert (error.status_code, error.resp.status, error.uri) == (404, 404, "https://run.googleapis.com/v2/x")
    assert (error.http_status, error.status) == (404, "NOT_FOUND")
    error = translate(api_core.NotFound("Gone.", errors=["x"]), "Bucket 'b'")
    assert (error.code, error.message, error.errors) == (404, "Gone.", ["x"])


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (
            "No.",
            [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "metadata": {"permission": "run.jobs.create"}}],
        ),
        ("Permission 'run.jobs.create' denied on resource '//run.googleapis.com/projects/p'.", []),
        ("a@b.c does not have run.jobs.create access to the project.", []),
    ],
    ids=["details", "quoted", "storage"],
)
def test_a_denied_access_names_the_permission_and_who_lacks_it(message, details):
    raised = _http_error(403, message, status="PERMISSION_DENIED", details=details)
    error = translate(raised, "Job 'j'", account="worker@p.iam.gserviceaccount.com")
    assert error is not None
    assert error.permission == "run.jobs.create"
    assert "Grant worker@p.iam.gserviceaccount.com a role with the permission run.jobs.create." in str(error)


def test_a_disabled_api_is_named_with_the_page_that_enables_it():
    url = "https://console.developers.google.com/apis/api/run.googleapis.com/overview?project=p"
    info = {"reason": "SERVICE_DISABLED", "metadata": {"activationUrl": url}}
    error = translate(_http_error(403, status="PERMISSION_DENIED", details=[info]), "Job 'j'")
    assert isinstance(error, errors.GcpServiceDisabled)
    assert url in str(error)


@pytest.mark.parametrize(
    ("raised", "seconds"),
    [
        (_http_error(429, details=[{"@type": "google.rpc.RetryInfo", "retryDelay": "17s"}]), 17.0),
        (_http_error(503), None),
    ],
    ids=["said", "not said"],
)
def test_the_time_that_google_asks_to_wait_is_kept(raised, seconds):
    error = translate(raised, "Job 'j'")
    assert error is not None
    assert error.retry_after == seconds
    assert is_transient(error) == (seconds or True)


def test_the_header_retry_after_is_read():
    raised = _http_error(503)
    raised.resp["retry-after"] = "5"
    assert is_transient(raised) == 5.0


@pytest.mark.parametrize("raised", [KeyError("x"), ValueError("x"), TimeoutError(), FileNotFoundError("x")])
def test_an_error_of_somebody_else_is_left_alone(raised):
    with pytest.raises(type(raised)) as caught, gcp_errors("Job 'j'"):
        raise raised
    assert caught.value is raised
    assert is_transient(raised) is False


def test_an_error_is_translated_once():
    with pytest.raises(errors.GcpNotFound, match=r"^inner: ") as caught, gcp_errors("outer"), gcp_errors("inner"):
        raise api_core.NotFound("No.")
    assert caught.value.subject == "inner"


def test_the_caller_says_what_is_not_found():
    with (
        pytest.raises(errors.GcpObjectNotFound) as caught,
        gcp_errors("gs://b/k", not_found=errors.GcpObjectNotFound),
    ):
        raise api_core.NotFound("No.")
    assert isinstance(caught.value, FileNotFoundError)


def test_secrets_that_google_repeats_are_masked(no_canary_leaks, canary):
    raised = _http_error(400, f"Invalid value {canary}.", status="INVALID_ARGUMENT")
    with pytest.raises(errors.GcpInvalidRequest) as caught, gcp_errors("Secret 's'", secrets=[canary]):
        raise raised
    no_canary_leaks.add_error(caught.value)
    assert canary.encode() not in pickle.dumps(caught.value)


def test_an_answer_of_html_is_told_by_its_status():
    answer: Any = httplib2.Response({"status": "502"})
    answer.reason = "Bad Gateway"
    error = translate(HttpError(answer, b"<html>Error</html>"), "Job 'j'")
    assert isinstance(error, errors.GcpUnavailable)
    assert "Bad Gateway (502)" in str(error)


def test_connection_errors_do_not_repeat_pools_and_objects():
    with pytest.raises(errors.GcpConnectionFailed) as caught, gcp_errors("Job 'j'"):
        requests.get("http://127.0.0.1:9/x", timeout=5)
    assert "object at 0x" not in str(caught.value)
    assert "Connection refused" in str(caught.value)
