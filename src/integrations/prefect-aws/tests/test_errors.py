"""Failures of the SDK come out as ours, stay what they were, name the remedy, travel, and tell no secret."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import boto3.exceptions
import pytest
from botocore import exceptions as sdk

from prefect_aws import errors
from prefect_aws.credentials import AwsCredentials
from prefect_aws.errors import aws_errors, translate
from prefect_integration_kit.waiting import WaitTimeout


def client_error(code: str, message: str = "No.", status: int = 400, operation: str = "GetThing", **more: Any) -> Any:
    response = {"Error": {"Code": code, "Message": message, **more}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(response, operation)


def raised(exc: Exception, **options: Any) -> errors.AwsError:
    with pytest.raises(errors.AwsError) as caught, aws_errors("Thing 't'", **options):
        raise exc
    return caught.value


@pytest.mark.parametrize(
    ("exc", "ours", "python"),
    [
        (client_error("ResourceNotFoundException"), errors.AwsNotFound, LookupError),
        (client_error("NoSuchKey", status=404), errors.AwsObjectNotFound, FileNotFoundError),
        (client_error("NoSuchBucket", status=404), errors.AwsBucketNotFound, FileNotFoundError),
        (client_error("ParameterVersionNotFound"), errors.AwsParameterNotFound, LookupError),
        (client_error("ResourceExistsException"), errors.AwsAlreadyExists, FileExistsError),
        (client_error("AccessDeniedException"), errors.AwsAccessDenied, PermissionError),
        (client_error("403", status=403), errors.AwsAccessDenied, PermissionError),
        (client_error("InvalidAccessKeyId", status=403), errors.AwsCredentialsRefused, PermissionError),
        (client_error("ExpiredTokenException"), errors.AwsCredentialsExpired, Exception),
        (client_error("RequestTimeTooSkewed", status=403), errors.AwsClockSkew, Exception),
        (
            client_error("InvalidSignatureException", "Signature expired: 1 is now earlier than 2"),
            errors.AwsClockSkew,
            Exception,
        ),
        (client_error("AuthorizationHeaderMalformed"), errors.AwsRegionWrong, ValueError),
        (client_error("ValidationException"), errors.AwsInvalidRequest, ValueError),
        (client_error("ThrottlingException"), errors.AwsThrottled, Exception),
        (client_error("InternalFailure", status=500), errors.AwsUnavailable, Exception),
        (client_error("NeverHeardOf", status=404), errors.AwsNotFound, LookupError),
        (client_error("NeverHeardOf", status=403), errors.AwsAccessDenied, PermissionError),
        (client_error("NeverHeardOf", status=429), errors.AwsThrottled, Exception),
        (client_error("NeverHeardOf", status=503), errors.AwsUnavailable, Exception),
        (client_error("NeverHeardOf", status=418), errors.AwsError, Exception),
        (sdk.NoCredentialsError(), errors.AwsCredentialsMissing, Exception),
        (sdk.ProfileNotFound(profile="p"), errors.AwsCredentialsMissing, Exception),
        (sdk.UnauthorizedSSOTokenError(), errors.AwsCredentialsExpired, Exception),
        (sdk.NoRegionError(), errors.AwsRegionMissing, ValueError),
        (sdk.InvalidRegionError(region_name="x y"), errors.AwsRegionWrong, ValueError),
        (sdk.ParamValidationError(report="bad"), errors.AwsInvalidRequest, ValueError),
        (sdk.EndpointConnectionError(endpoint_url="http://x"), errors.AwsConnectionFailed, ConnectionError),
        (sdk.ReadTimeoutError(endpoint_url="http://x"), errors.AwsConnectionFailed, ConnectionError),
        (sdk.ConnectTimeoutError(endpoint_url="http://x"), errors.AwsConnectionFailed, ConnectionError),
        (sdk.SSLError(endpoint_url="https://x", error="e"), errors.AwsConnectionFailed, ConnectionError),
        (sdk.WaiterError("w", "Max attempts exceeded", {}), errors.AwsWaitTimeout, TimeoutError),
        (sdk.WaiterError("w", "Waiter encountered a terminal failure state", {}), errors.AwsWaitFailed, RuntimeError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:40],
)
def test_an_sdk_error_is_ours_and_python_s_and_still_the_sdk_s(
    exc: Exception, ours: type[errors.AwsError], python: type[Exception]
) -> None:
    error = raised(exc)
    assert isinstance(error, ours)
    assert isinstance(error, python)
    assert isinstance(error, type(exc))
    assert error.__cause__ is exc
    assert str(error).startswith("Thing 't': ")
    assert {name: getattr(error, name) for name in vars(exc)} == vars(exc)


def test_a_wait_that_ended_in_time_out_is_the_kit_s_time_out() -> None:
    assert isinstance(raised(sdk.WaiterError("w", "Max attempts exceeded", {})), WaitTimeout)


def test_the_message_names_the_subject_the_code_the_operation_and_the_remedy() -> None:
    error = raised(client_error("AccessDenied", "Not you.", 403, "PutObject"))
    assert str(error) == (
        "Thing 't': Not you (AccessDenied in PutObject). Allow PutObject to this identity in IAM, and in the "
        "resource's own policy where it has one."
    )
    assert (error.subject, error.code) == ("Thing 't'", "AccessDenied")


@pytest.mark.parametrize(
    "answer",
    [
        {"Error": {"Code": "AuthorizationHeaderMalformed", "Region": "eu-west-1"}},
        {
            "Error": {"Code": "PermanentRedirect"},
            "ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}},
        },
    ],
)
def test_a_wrong_region_is_told_the_right_one(answer: Any) -> None:
    assert "Set region_name on the credentials block to 'eu-west-1'" in str(raised(sdk.ClientError(answer, "Head")))


def test_a_plain_not_found_becomes_the_class_that_the_caller_names() -> None:
    missing = client_error("404", status=404)
    assert isinstance(raised(missing, not_found=errors.AwsSecretNotFound), errors.AwsSecretNotFound)
    no_bucket = client_error("NoSuchBucket", status=404)
    assert isinstance(raised(no_bucket, not_found=errors.AwsObjectNotFound), errors.AwsBucketNotFound)


def test_what_is_not_the_sdk_s_passes_unchanged() -> None:
    ours = errors.AwsJobFailed("It failed.")
    for error in (KeyError("k"), ours):
        with pytest.raises(type(error)) as caught, aws_errors("Thing"):
            raise error
        assert caught.value is error
        assert translate(ours, "Thing") is None


def test_a_transfer_error_takes_its_class_from_the_answer_that_it_wraps() -> None:
    try:
        try:
            raise client_error("AccessDenied", status=403)
        except sdk.ClientError as inner:
            raise boto3.exceptions.S3UploadFailedError("Failed to upload") from inner
    except boto3.exceptions.S3UploadFailedError as exc:
        error = raised(exc)
    assert isinstance(error, errors.AwsAccessDenied)
    assert isinstance(error, boto3.exceptions.S3UploadFailedError)
    assert error.response["Error"]["Code"] == "AccessDenied"


def test_an_earlier_error_does_not_decide_the_class_of_a_later_one() -> None:
    try:
        raise client_error("NoSuchKey", status=404)
    except sdk.ClientError:
        assert type(raised(sdk.NoRegionError())).__mro__[1] is errors.AwsRegionMissing


def test_a_client_s_own_exception_is_caught_by_its_name(
    aws_stub: Callable[..., Any], make_credentials: Callable[..., AwsCredentials]
) -> None:
    stub = aws_stub("secretsmanager")
    stub.fail("GetSecretValue", "ResourceNotFoundException", "gone")
    client = make_credentials(stub.endpoint_url).get_client("secretsmanager")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught, aws_errors("Secret 's'"):
        client.get_secret_value(SecretId="s")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, errors.AwsNotFound)
    assert isinstance(again, sdk.ClientError)


@pytest.mark.parametrize(
    "exc",
    [
        client_error("NoSuchKey", status=404),
        sdk.EndpointConnectionError(endpoint_url="http://x", error=ValueError(lambda: None)),
        sdk.ReadTimeoutError(endpoint_url="http://x"),
        sdk.WaiterError("w", "Max attempts exceeded", {"Error": {"Code": "c"}}),
        boto3.exceptions.S3UploadFailedError("Failed"),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_an_error_travels_between_processes(exc: Exception) -> None:
    error = raised(exc)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.subject, again.code) == (str(error), error.subject, error.code)
    if isinstance(exc, sdk.ClientError):
        assert again.response == exc.response
        assert again.operation_name == exc.operation_name


def test_a_secret_that_aws_repeats_is_masked_in_the_whole_chain(canary: str) -> None:
    refused = client_error("ValidationException", f"1 validation error detected: Value '{canary}' at 'value'")
    error = raised(refused, secrets=[canary])
    text = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(vars(refused))
    assert canary not in text
    assert "********" in str(error)


def test_a_short_secret_does_not_garble_the_error() -> None:
    error = raised(client_error("ResourceNotFoundException", "Secrets Manager"), secrets=["s", b"e"])
    assert isinstance(error, errors.AwsNotFound)
    assert "Secrets Manager" in str(error)


def test_a_long_secret_is_masked_by_line_and_at_once(canary: str) -> None:
    key = "\n".join([canary, *(f"line {number} of a long key" for number in range(3000))])
    error = raised(client_error("ValidationException", f"Cannot read '{canary}'"), secrets=[key.encode()])
    assert canary not in str(error) + str(error.__cause__)
