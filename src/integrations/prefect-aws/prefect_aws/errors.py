"""What can go wrong at AWS, as Python exceptions.

    AwsError
    ├── AwsNotFound (LookupError)
    │   ├── AwsObjectNotFound (FileNotFoundError)
    │   ├── AwsBucketNotFound (FileNotFoundError)
    │   ├── AwsSecretNotFound
    │   └── AwsParameterNotFound
    ├── AwsAlreadyExists (FileExistsError)
    ├── AwsAccessDenied (PermissionError)
    │   └── AwsCredentialsRefused       the key is unknown or its signature wrong
    ├── AwsCredentialsMissing
    ├── AwsCredentialsExpired
    ├── AwsClockSkew
    ├── AwsRegionMissing (ValueError)
    ├── AwsRegionWrong (ValueError)
    ├── AwsUnknownService (ValueError)
    ├── AwsInvalidRequest (ValueError)
    ├── AwsThrottled
    ├── AwsUnavailable
    ├── AwsConnectionFailed (ConnectionError)
    ├── AwsJobFailed (RuntimeError)
    ├── EcsTaskNotStarted (RuntimeError)
    ├── AwsBundleFailed (RuntimeError)
    │   └── AwsBundleRefused            damaged, no bundle, or not safe to unpack
    ├── AwsBatchRefused (RuntimeError)  some entries of a batch were not accepted
    ├── AwsWaitFailed (RuntimeError)
    └── AwsWaitTimeout (TimeoutError)

`aws_errors` is the only place where the SDK's exceptions are translated. What it raises is an instance of one of these
classes and also of the SDK's own class, with its attributes: code that catches `botocore.exceptions.ClientError` and
looks into `.response` goes on working.
"""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, cast

from prefect_integration_kit.redact import Secret
from prefect_integration_kit.sdk_errors import TranslatedError, causes, mask_secrets, standing_for
from prefect_integration_kit.waiting import WaitTimeout


class AwsError(TranslatedError):
    """A request to AWS failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about, such as `Secret 'db'`.
        code: AWS's error code, or the name of the SDK's exception where AWS was not reached; empty when neither is
            known.
    """

    def __init__(self, message: str, *, subject: str = "", code: str = "") -> None:
        super().__init__(message, subject=subject)
        self.code = code


class AwsNotFound(AwsError, LookupError):
    """The thing does not exist, or this identity may not know that it does."""

    remedy = "Check the name, the region and the account."


class AwsObjectNotFound(AwsNotFound, FileNotFoundError):
    """No object is stored under this key."""

    remedy = "Check the key, upper and lower case included."


class AwsBucketNotFound(AwsNotFound, FileNotFoundError):
    """The bucket does not exist."""

    remedy = "Create the bucket or correct bucket_name."


class AwsSecretNotFound(AwsNotFound):
    """Secrets Manager has no such secret or version."""

    remedy = "Create the secret or correct its name, version and region."


class AwsParameterNotFound(AwsNotFound):
    """The parameter store has no such parameter or version."""

    remedy = "Create the parameter or correct its name, version, label and region."


class AwsAlreadyExists(AwsError, FileExistsError):
    """Something of this name is there already."""


class AwsAccessDenied(AwsError, PermissionError):
    """This identity may not do that."""

    remedy = "Allow {operation} to this identity in IAM, and in the resource's own policy where it has one."


class AwsCredentialsRefused(AwsAccessDenied):
    """AWS does not accept the credentials: the key is unknown or inactive, or the secret does not belong to it."""

    remedy = "Check the access key ID and its secret key, or create a new pair."


class AwsCredentialsMissing(AwsError):
    """No complete credentials were found."""

    remedy = (
        "Give the credentials block an access key ID with its secret key or a profile_name, or set up one of the "
        "other sources that boto3 reads: environment variables, profile files, instance or task roles."
    )


class AwsCredentialsExpired(AwsError):
    """The temporary credentials have expired and cannot be renewed from here."""

    remedy = (
        "Sign in again and use the new credentials, or let the block assume a role (assume_role_arn): it renews "
        "its credentials by itself."
    )


class AwsClockSkew(AwsError):
    """The clock of this machine is too far from AWS's, so signatures are not valid."""

    remedy = "Set this machine's clock by NTP; AWS accepts requests that are at most minutes old."


class AwsRegionMissing(AwsError, ValueError):
    """The service needs a region and none was given."""

    remedy = (
        "Set region_name on the credentials block, AWS_DEFAULT_REGION in the environment, or region in the profile."
    )


class AwsRegionWrong(AwsError, ValueError):
    """The region does not exist, or the resource lives in another one."""

    remedy = "Set region_name on the credentials block to the region of the resource."


class AwsUnknownService(AwsError, ValueError):
    """The SDK knows no service of this name."""


class AwsInvalidRequest(AwsError, ValueError):
    """The request is not one that the service accepts."""


class AwsThrottled(AwsError):
    """AWS refused because of too many requests, also after the SDK's own retries."""

    remedy = "Send fewer requests at once, ask AWS for a higher quota, or raise retries in the client config."


class AwsUnavailable(AwsError):
    """The service failed on its side, also after the SDK's own retries."""

    remedy = "Try again later."


class AwsConnectionFailed(AwsError, ConnectionError):
    """The service could not be reached, or the connection broke or timed out."""

    remedy = "Check endpoint_url, region_name, DNS, proxies and the network's way to AWS."


class AwsJobFailed(AwsError, RuntimeError):
    """A job ended, and not with success."""


class AwsBatchRefused(AwsError, RuntimeError):
    """Some entries of a batch were not accepted; the others were.

    Args:
        message: What `str` says.
        subject: What the request was about.
        code: AWS's error code, empty when the entries have different ones.
        failed: For each entry that was not accepted: its place in what was given, from 0, and the reason.
    """

    def __init__(
        self, message: str, *, subject: str = "", code: str = "", failed: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(message, subject=subject, code=code)
        self.failed = dict(failed or {})


class AwsBundleFailed(AwsError, RuntimeError):
    """A bundle could not be uploaded or fetched; the cause is the error that says why."""


class AwsBundleRefused(AwsBundleFailed):
    """A bundle is not what was uploaded, is none, or its files are not safe to unpack."""


class EcsTaskNotStarted(AwsError, RuntimeError):
    """ECS took the request to run a task and did not start it; `code` is the reason that it gave."""


class AwsWaitFailed(AwsError, RuntimeError):
    """What was waited for can no longer come."""


class AwsWaitTimeout(AwsError, WaitTimeout):
    """The time was up before what was waited for came."""


_CODES: dict[type[AwsError], str] = {
    AwsNotFound: """
        404 NotFound NotFoundException ResourceNotFound ResourceNotFoundException EntityNotFoundException
        NoSuchEntity NoSuchUpload NoSuchVersion ClusterNotFoundException StateMachineDoesNotExist
        ExecutionDoesNotExist QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue""",
    AwsObjectNotFound: "NoSuchKey",
    AwsBucketNotFound: "NoSuchBucket",
    AwsParameterNotFound: "ParameterNotFound ParameterVersionNotFound",
    AwsAlreadyExists: """
        ResourceExistsException ResourceAlreadyExistsException AlreadyExistsException EntityAlreadyExists
        ParameterAlreadyExists BucketAlreadyExists BucketAlreadyOwnedByYou ExecutionAlreadyExists""",
    AwsAccessDenied: """
        401 403 AccessDenied AccessDeniedException AccessDeniedError AllAccessDisabled Forbidden
        ForbiddenException NotAuthorized NotAuthorizedException UnauthorizedAccess UnauthorizedException
        UnauthorizedOperation KMSAccessDeniedException KmsAccessDeniedException KmsAccessDenied DecryptionFailure""",
    AwsCredentialsRefused: """
        AuthFailure IncompleteSignature InvalidAccessKeyId InvalidClientTokenId InvalidSignatureException
        InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException SignatureDoesNotMatch
        UnrecognizedClientException""",
    AwsCredentialsMissing: """
        NoCredentialsError PartialCredentialsError CredentialRetrievalError ProfileNotFound ConfigNotFound
        NoAuthTokenError RefreshWithMFAUnsupportedError""",
    AwsCredentialsExpired: """
        ExpiredToken ExpiredTokenException TokenRefreshRequired TokenRetrievalError SSOTokenLoadError
        UnauthorizedSSOTokenError LoginRefreshRequired LoginTokenLoadError""",
    AwsClockSkew: "RequestTimeTooSkewed RequestInTheFuture RequestExpired",
    AwsRegionMissing: "NoRegionError",
    AwsRegionWrong: """
        301 AuthorizationHeaderMalformed PermanentRedirect IllegalLocationConstraintException
        InvalidLocationConstraint UnknownRegionError InvalidRegionError ServiceNotInRegionError""",
    AwsUnknownService: "UnknownServiceError",
    AwsInvalidRequest: """
        400 BadRequest ClientException InvalidArgument InvalidInputException InvalidParameterCombination
        InvalidParameterException InvalidParameterValue InvalidParameterValueException InvalidRequest
        InvalidRequestContentException InvalidRequestException MalformedPolicyDocument RequestTooLargeException
        ParamValidationError UnknownEndpointError UnsupportedParameterType ValidationError
        ValidationException InvalidArn InvalidName InvalidExecutionInput StateMachineDeleting
        StateMachineTypeNotSupported InvalidAddress InvalidMessageContents BatchRequestTooLong
        AWS.SimpleQueueService.BatchRequestTooLong ReceiptHandleIsInvalid MessageNotInflight UnsupportedOperation""",
    AwsThrottled: """
        429 BandwidthLimitExceeded ConcurrentRunsExceededException EC2ThrottledException ExecutionLimitExceeded
        KmsThrottled KmsThrottlingException OverLimit
        PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
        RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException
        TooManyRequestsException TooManyUpdates""",
    AwsUnavailable: """
        500 502 503 504 InternalError InternalFailure InternalServerError InternalServerException
        InternalServiceError InternalServiceErrorException InternalServiceException OperationTimeoutException
        RequestTimeout ServerException ServiceException ServiceUnavailable ServiceUnavailableException""",
    AwsConnectionFailed: """
        ConnectTimeoutError ConnectionClosedError ConnectionError EndpointConnectionError HTTPClientError
        IncompleteReadError ProxyConnectionError ReadTimeoutError ResponseStreamingError SSLError""",
}
_BY_CODE = {code: cls for cls, codes in _CODES.items() for code in codes.split()}
_BY_STATUS: dict[int, type[AwsError]] = {
    301: AwsRegionWrong,
    401: AwsAccessDenied,
    403: AwsAccessDenied,
    404: AwsNotFound,
    429: AwsThrottled,
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
_SKEWED = ("signature expired", "signature not yet current")


@contextmanager
def aws_errors(
    subject: str, *, not_found: type[AwsNotFound] = AwsNotFound, secrets: Iterable[Secret] = ()
) -> Generator[None, None, None]:
    """Raise failures of boto3 and botocore as this package's errors, naming `subject`.

    Args:
        subject: What the work is about: `S3 object s3://bucket/key`, `Secret 'db'`.
        not_found: The class for a plain "not found", where the code alone does not say what is missing.
        secrets: Values that the request carries. AWS repeats refused values in its messages; these are masked.

    Raises:
        AwsError: One of its subclasses, also an instance of the SDK's exception, with that one as its cause.
    """
    try:
        yield
    except AwsError:
        raise
    except Exception as exc:
        error = translate(exc, subject, not_found=not_found, secrets=secrets)
        if error is None:
            raise
        raise error from exc


def translate(
    exc: Exception,
    subject: str,
    *,
    not_found: type[AwsNotFound] = AwsNotFound,
    secrets: Iterable[Secret] = (),
) -> AwsError | None:
    """Make this package's error of an SDK exception; `None` when it is not the SDK's.

    Args:
        exc: Any exception. Secrets that it quotes are masked in place, since it stays visible as the cause.
        subject: What the work is about.
        not_found: The class for a plain "not found".
        secrets: Values to mask.
    """
    if not _is_sdk_error(exc):
        return None
    source = _with_answer(exc)
    response = cast("dict[str, Any]", getattr(source, "response", None) or {})
    answer: dict[str, Any] = response.get("Error") or {}
    code = str(answer.get("Code") or type(exc).__name__)
    operation = str(getattr(source, "operation_name", "") or "")
    cls = _classify(exc, code, response)
    if cls is AwsNotFound:
        cls = not_found
    remedy = _remedy(cls, exc, operation, response)
    mask_secrets(exc, secrets)
    where = f"{code} in {operation}" if operation else code
    message = f"{subject}: {_reason(cls, exc, source)} ({where}). {remedy}".rstrip()
    error = standing_for(cls, exc, message, subject=subject, code=code)
    if source is not exc:
        vars(error).setdefault("response", getattr(source, "response", {}))
    return error


def _reason(cls: type[AwsError], exc: Exception, source: BaseException) -> str:
    if cls is AwsUnknownService:
        return "boto3 knows no such service"  # its own message lists all that it knows
    response: dict[str, Any] = getattr(source, "response", None) or {}
    answer: dict[str, Any] = response.get("Error") or {}
    return str(answer.get("Message") or exc).strip().rstrip(".")


def _is_sdk_error(exc: BaseException) -> bool:
    """Say whether boto3 or botocore raised it, modelled exceptions of a client included."""
    return any(cls.__module__ in ("botocore.exceptions", "boto3.exceptions") for cls in type(exc).__mro__)


def _with_answer(exc: Exception) -> BaseException:
    """The exception that carries the service's answer: boto3's transfers wrap it in one of their own."""
    if not type(exc).__module__.startswith("boto3."):
        return exc
    return next((error for error in causes(exc) if hasattr(error, "response")), exc)


def error_class(code: str) -> type[AwsError]:
    """Find the class of an error.

    Args:
        code: AWS's error code, or the name of an SDK exception.

    Returns:
        The class; `AwsError` itself for a code that is not known.
    """
    return _BY_CODE.get(code, AwsError)


def _classify(exc: Exception, code: str, response: dict[str, Any]) -> type[AwsError]:
    message = str(exc)
    if any(hint in message.lower() for hint in _SKEWED):
        return AwsClockSkew
    if any(cls.__name__ == "WaiterError" for cls in type(exc).__mro__):
        return _classify_wait(exc, message)
    if (found := _BY_CODE.get(code)) is not None:
        return found
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return AwsUnavailable
    names = (cls.__name__ for cls in type(exc).__mro__ if cls.__module__ == "botocore.exceptions")
    return next((_BY_CODE[name] for name in names if name in _BY_CODE), AwsError)


def _classify_wait(exc: Exception, message: str) -> type[AwsError]:
    if "Max attempts exceeded" in message:
        return AwsWaitTimeout
    if "An error occurred" in message:  # the look itself was refused, not what was looked at
        last: dict[str, Any] = getattr(exc, "last_response", None) or {}
        known = error_class(last.get("Error", {}).get("Code", ""))
        return AwsWaitFailed if known is AwsError else known
    return AwsWaitFailed


def _remedy(cls: type[AwsError], exc: Exception, operation: str, response: dict[str, Any]) -> str:
    if issubclass(cls, AwsRegionWrong):
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
        if region:
            return f"Set region_name on the credentials block to {region!r}."
    if issubclass(cls, AwsUnknownService):
        asked: dict[str, Any] = getattr(exc, "kwargs", {})
        known = str(asked.get("known_service_names", "")).replace(",", " ").split()
        near = difflib.get_close_matches(str(asked.get("service_name", "")), known, n=1, cutoff=0.6)
        return f"Did you mean {near[0]!r}?" if near else ""
    return cls.remedy.format(operation=operation or "the request")
