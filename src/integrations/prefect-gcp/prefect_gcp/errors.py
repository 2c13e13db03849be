"""What can go wrong at Google Cloud, as Python exceptions.

    GcpError
    ├── GcpNotFound (LookupError)
    │   ├── GcpObjectNotFound (FileNotFoundError)
    │   └── GcpBucketNotFound (FileNotFoundError)
    ├── GcpConflict                     somebody else changed it meanwhile
    │   └── GcpAlreadyExists (FileExistsError)
    ├── GcpAccessDenied (PermissionError)
    │   └── GcpServiceDisabled          the project has not enabled the API
    ├── GcpCredentialsError (ValueError)
    │   ├── GcpCredentialsMissing       no Application Default Credentials
    │   ├── GcpCredentialsRefused       Google does not accept the key or the token
    │   └── GcpClockSkew
    ├── GcpInvalidRequest (ValueError)
    ├── GcpPreconditionFailed
    ├── GcpChecksumMismatch             content changed on its way
    ├── GcpQuotaExceeded
    │   └── GcpRateLimited              also a GcpUnavailable: it passes
    ├── GcpUnavailable                  may succeed when repeated
    │   └── GcpConnectionFailed (ConnectionError)
    ├── GcpJobFailed (RuntimeError)
    ├── GcpBundleRefused (RuntimeError)  damaged, no bundle, or not safe to unpack
    └── GcpWaitTimeout (TimeoutError)

`gcp_errors` is the only place where the SDKs' exceptions are translated. What it raises is an instance of one of these
classes and also of the SDK's own class, with its attributes: code that catches `google.api_core.exceptions.NotFound`,
`googleapiclient.errors.HttpError` or `google.auth.exceptions.RefreshError` goes on working.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import TranslatedError, mask_secrets, standing_for
from prefect_integration_kit.waiting import WaitTimeout

if TYPE_CHECKING:
    from ._answers import Answer


class GcpError(TranslatedError):
    """A request to Google Cloud failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about, such as `Secret 'db'`.
        http_status: Status of the HTTP answer, or the one that Google assigns to the gRPC status; `None` when there was
            no answer.
        status: Google's canonical code, such as `NOT_FOUND`, or the reason that the service gave; empty when unknown.
        permission: The permission that is missing, where Google names it.
        account: The identity that was used, as far as it is known without asking.
        retry_after: Seconds after which Google wants the next attempt, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        http_status: int | None = None,
        status: str = "",
        permission: str = "",
        account: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, subject=subject)
        self.http_status = http_status
        self.status = status
        self.permission = permission
        self.account = account
        self.retry_after = retry_after


class GcpNotFound(GcpError, LookupError):
    """The thing does not exist, or this identity may not know that it does."""

    remedy = "Check the name, the project and the location."


class GcpObjectNotFound(GcpNotFound, FileNotFoundError):
    """No object is stored under this name."""

    remedy = "Check the name, upper and lower case included."


class GcpBucketNotFound(GcpNotFound, FileNotFoundError):
    """The bucket does not exist."""

    remedy = "Create the bucket or correct its name."


class GcpConflict(GcpError):
    """The request collides with what is there, or with another request at the same time."""


class GcpAlreadyExists(GcpConflict, FileExistsError):
    """Something of this name is there already."""


class GcpAccessDenied(GcpError, PermissionError):
    """This identity may not do that."""


class GcpServiceDisabled(GcpAccessDenied):
    """The project has not enabled this API, or has enabled it a moment ago."""

    remedy = "Enable the API in the project (gcloud services enable), wait a minute and try again."


class GcpCredentialsError(GcpError, ValueError):
    """The credentials are incomplete, malformed or of the wrong kind."""


class GcpCredentialsMissing(GcpCredentialsError):
    """The block names no identity and there are no Application Default Credentials."""

    remedy = (
        "Give the credentials block a service_account_file, a service_account_info or a workload_identity_federation, "
        "or set up Application Default Credentials: gcloud auth application-default login on a workstation, an "
        "attached service account on Google Cloud."
    )


class GcpCredentialsRefused(GcpCredentialsError):
    """Google does not accept the key or the token."""

    remedy = "Check that the key or the account has not been deleted, disabled or has expired, or make a new key."


class GcpClockSkew(GcpCredentialsError):
    """The clock of this machine is too far from Google's, so signed requests are not valid."""

    remedy = "Set this machine's clock by NTP."


class GcpInvalidRequest(GcpError, ValueError):
    """The request is not one that the service accepts."""


class GcpPreconditionFailed(GcpError):
    """The state of the thing does not allow it, or is not the one that the request expected."""


class GcpChecksumMismatch(GcpError):
    """Content does not fit its checksum: it was changed on its way, again and again."""

    remedy = "Look for a proxy that changes content, or for bad memory; then try again."


class GcpQuotaExceeded(GcpError):
    """A quota or a limit of the project is used up."""

    remedy = (
        "Wait until the quota is renewed, or ask for a higher one (https://console.cloud.google.com/iam-admin/quotas)."
    )


class GcpUnavailable(GcpError):
    """The service failed on its side or could not be reached; the request may succeed when repeated."""

    remedy = "Try again later."


class GcpRateLimited(GcpUnavailable, GcpQuotaExceeded):
    """Too many requests in a short time."""

    remedy = "Send fewer requests at once, or ask for a higher quota."


class GcpConnectionFailed(GcpUnavailable, ConnectionError):
    """The service could not be reached, or the connection broke or timed out."""

    remedy = "Check the address (api_endpoints), DNS, proxies and the network's way to Google Cloud."


class GcpJobFailed(GcpError, RuntimeError):
    """A job ended, and not with success."""


class GcpBundleRefused(GcpError, RuntimeError):
    """A bundle is not what was uploaded, is none, or its files are not safe to unpack."""


class GcpWaitTimeout(GcpError, WaitTimeout):
    """The time was up before what was waited for came."""


_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "jobRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_QUOTA = frozenset(
    {"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg", "QUOTA_EXCEEDED", "RESOURCE_QUOTA_EXCEEDED"}
)
_DISABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_EXISTS = frozenset({"alreadyExists", "duplicate", "ALREADY_EXISTS"})
_TRANSIENT_REASONS = frozenset({"backendError", "internalError", "jobBackendError", "jobInternalError"})
# What gRPC says when a proxy, or a server that is going away, ends a call: `UNKNOWN` comes with "Stream removed".
_BROKEN_OFF = frozenset({"UNKNOWN", "CANCELLED"})
_BY_STATUS: dict[int, type[GcpError]] = {
    400: GcpInvalidRequest,
    401: GcpCredentialsRefused,
    403: GcpAccessDenied,
    404: GcpNotFound,
    405: GcpInvalidRequest,
    408: GcpUnavailable,
    409: GcpConflict,
    410: GcpNotFound,
    411: GcpInvalidRequest,
    412: GcpPreconditionFailed,
    413: GcpInvalidRequest,
    416: GcpInvalidRequest,
    422: GcpInvalidRequest,
    425: GcpUnavailable,
    429: GcpRateLimited,
    501: GcpInvalidRequest,
}
# Where gRPC's errors keep what the server said.
_GRPC_STATE = ("_state",)
# What the token endpoint says when `iat` and `exp` do not fit its own time.
_SKEWED = ("short-lived token", "reasonable timeframe", "token used too early")


@contextmanager
def gcp_errors(
    subject: str,
    *,
    account: str = "",
    not_found: type[GcpNotFound] = GcpNotFound,
    secrets: Iterable[Secret] = (),
) -> Generator[None, None, None]:
    """Raise failures of Google's SDKs as this package's errors, naming `subject`.

    Args:
        subject: What the work is about: `gs://bucket/key`, `Secret 'db'`.
        account: The identity that is used, for the message of an access that is denied.
        not_found: The class for a plain "not found", where the answer alone does not say what is missing.
        secrets: Values that the request carries. Google repeats refused values in its messages; these are masked.

    Raises:
        GcpError: One of its subclasses, also an instance of the SDK's exception, with that one as its cause.
    """
    try:
        yield
    except GcpError:
        raise
    except Exception as exc:
        error = translate(exc, subject, account=account, not_found=not_found, secrets=secrets)
        if error is None:
            raise
        raise error from exc


def translate(
    exc: BaseException,
    subject: str,
    *,
    account: str = "",
    not_found: type[GcpNotFound] = GcpNotFound,
    secrets: Iterable[Secret] = (),
) -> GcpError | None:
    """Make this package's error of an SDK's exception; `None` when it is not an SDK's.

    Args:
        exc: Any exception. Secrets that it quotes are masked in place, since it stays visible as the cause.
        subject: What the work is about.
        account: The identity that is used.
        not_found: The class for a plain "not found".
        secrets: Values to mask.
    """
    from ._answers import read_answer

    answer = read_answer(exc)
    if answer is None:
        return None
    mask_secrets(exc, secrets, within=_GRPC_STATE)
    answer = read_answer(exc) or answer
    cls = _classify(answer)
    if cls is GcpNotFound:
        cls = not_found
    where = " ".join(str(part) for part in (answer.http_status, answer.status) if part)
    reason = answer.message.strip().rstrip(".") or type(exc).__name__
    remedy = _remedy(cls, answer, account)
    # The answer behind an exception of the SDK is not masked in place.
    reason = Redactor(secrets).redact(reason)
    message = f"{subject}: {reason}{f' ({where})' if where else ''}. {remedy}".rstrip()
    return standing_for(
        cls,
        exc,
        message,
        subject=subject,
        http_status=answer.http_status,
        status=answer.status,
        permission=answer.permission,
        account=account,
        retry_after=answer.retry_after,
    )


def is_transient(exc: BaseException) -> bool | float:
    """Say whether another attempt may succeed, and after how many seconds if Google said so.

    It has the form that `prefect_integration_kit.waiting.retry` takes.

    Args:
        exc: What the last attempt raised: an error of this package or of an SDK.
    """
    error = exc if isinstance(exc, GcpError) else translate(exc, "Google Cloud")
    if not isinstance(error, GcpUnavailable) and getattr(error, "status", "") != "ABORTED":
        return False
    return getattr(error, "retry_after", None) or True


def _classify(answer: Answer) -> type[GcpError]:
    text = answer.message.lower()
    if answer.kind == "credentials":
        return _classify_credentials(answer, text)
    if answer.kind == "connection":
        return GcpConnectionFailed
    reasons = {answer.status, *answer.reasons}
    if answer.http_status in (400, 403, 429):
        if reasons & _RATE:
            return GcpRateLimited
        if reasons & _QUOTA or (answer.http_status == 429 and ("per day" in text or answer.quota_is_daily)):
            return GcpQuotaExceeded
        if reasons & _DISABLED:
            return GcpServiceDisabled
        if reasons & _TRANSIENT_REASONS:
            return GcpUnavailable
    if answer.http_status == 400 and "FAILED_PRECONDITION" in reasons:
        return GcpPreconditionFailed
    if answer.http_status == 409 and (reasons & _EXISTS or "already exists" in text):
        return GcpAlreadyExists
    if answer.http_status in _BY_STATUS:
        return _BY_STATUS[answer.http_status]
    if answer.status in _BROKEN_OFF or (answer.http_status is not None and answer.http_status >= 500):
        return GcpUnavailable
    return GcpError


def _classify_credentials(answer: Answer, text: str) -> type[GcpError]:
    if answer.retryable or answer.http_status in (408, 429) or (answer.http_status or 0) >= 500:
        return GcpUnavailable
    if answer.http_status == 403 or "PERMISSION_DENIED" in answer.reasons:
        return GcpAccessDenied
    if answer.http_status == 404:
        return GcpNotFound  # the account to impersonate
    if any(hint in text for hint in _SKEWED):
        return GcpClockSkew
    if answer.missing:
        return GcpCredentialsMissing
    return GcpCredentialsError if answer.malformed else GcpCredentialsRefused


def _remedy(cls: type[GcpError], answer: Answer, account: str) -> str:
    if cls is GcpAccessDenied:
        who = account or "this identity"
        if answer.permission == "iam.serviceAccounts.getAccessToken":
            return f"Grant {who} the role roles/iam.serviceAccountTokenCreator on the account to impersonate."
        what = f"a role with the permission {answer.permission}" if answer.permission else "a role that allows it"
        return f"Grant {who} {what}."
    if cls is GcpServiceDisabled and answer.help_url:
        return f"Enable it at {answer.help_url}, wait a minute and try again."
    return cls.remedy
