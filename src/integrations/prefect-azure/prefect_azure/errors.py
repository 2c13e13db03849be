"""What can go wrong at Azure, as Python exceptions.

    AzureError
    ├── AzureNotFound (LookupError)
    │   ├── BlobNotFound (FileNotFoundError, RuntimeError)
    │   ├── ContainerNotFound (FileNotFoundError, RuntimeError)
    │   └── SecretNotFound              in a key vault
    ├── AzureConflict                   somebody else changed it, or it is in a state that does not allow it
    │   └── AzureAlreadyExists (FileExistsError)
    │       └── BlobExists              the `overwrite` flag replaces it
    ├── AzurePreconditionFailed
    ├── AzureAccessDenied (PermissionError)
    ├── AzureCredentialsError (ValueError)
    │   ├── AzureCredentialsMissing     no identity is to be found
    │   ├── AzureCredentialsRefused     Azure does not accept the key, the secret or the token
    │   │   └── AzureCredentialsExpired
    │   └── AzureClockSkew
    ├── AzureInvalidRequest (ValueError)
    ├── AzureQuotaExceeded
    │   └── AzureRateLimited            also an AzureUnavailable: it passes
    ├── AzureUnavailable                may succeed when repeated
    │   └── AzureConnectionFailed (ConnectionError)
    ├── AzureChecksumMismatch           content changed on its way
    ├── AzureJobFailed (RuntimeError)
    ├── AzureBundleRefused (RuntimeError)  damaged, no bundle, or not safe to unpack
    └── AzureWaitTimeout (TimeoutError)

`azure_errors` is the only place where the SDKs' exceptions are translated. What it raises is an instance of one of
these classes and also of the SDK's own class, with its attributes: code that catches
`azure.core.exceptions.ResourceNotFoundError` goes on working.
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


class AzureError(TranslatedError):
    """A request to Azure failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about, such as `Blob 'a/b'`.
        http_status: Status of the HTTP answer; `None` when there was none.
        code: Azure's error code, such as `BlobNotFound` or `AADSTS7000215`; empty when unknown.
        action: The action that is not permitted, where Azure names it.
        scope: The resource that it is not permitted on, where Azure names it.
        identity: Who asked, as far as it is known without asking.
        retry_after: Seconds after which Azure wants the next attempt, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        http_status: int | None = None,
        code: str = "",
        action: str = "",
        scope: str = "",
        identity: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, subject=subject)
        self.http_status = http_status
        self.code = code
        self.action = action
        self.scope = scope
        self.identity = identity
        self.retry_after = retry_after


class AzureNotFound(AzureError, LookupError):
    """The thing does not exist, or this identity may not know that it does."""

    remedy = "Check the name, the subscription and the resource group."


class BlobNotFound(AzureNotFound, FileNotFoundError, RuntimeError):
    """No blob is stored under this name. A `RuntimeError`, too, which the block of earlier releases raised."""

    remedy = "Check the name, upper and lower case included."


class ContainerNotFound(AzureNotFound, FileNotFoundError, RuntimeError):
    """The storage container does not exist. A `RuntimeError`, too, which the block of earlier releases raised."""

    remedy = "Create the container or correct its name."


class SecretNotFound(AzureNotFound):
    """The key vault has no secret of this name, or no such version of it."""

    remedy = "Check the name and the vault; recover_secret brings back one that was deleted."


class AzureConflict(AzureError):
    """The request collides with the state of the thing, or with another request at the same time."""


class AzureAlreadyExists(AzureConflict, FileExistsError):
    """Something of this name is there already."""


class BlobExists(AzureAlreadyExists):
    """A blob of this name is there, and was not to be replaced."""

    remedy = "Pass overwrite=True to replace it, or choose another name."


class AzurePreconditionFailed(AzureError):
    """The state of the thing is not the one that the request expected."""


class AzureAccessDenied(AzureError, PermissionError):
    """This identity may not do that."""


class AzureCredentialsError(AzureError, ValueError):
    """The credentials are incomplete, malformed or of the wrong kind."""


class AzureCredentialsMissing(AzureCredentialsError):
    """The block names no identity, and none is to be found where the flow runs."""

    remedy = (
        "Give the credentials block tenant_id, client_id and client_secret, or set up an identity where the flow "
        "runs: a managed identity, a workload identity, the variables AZURE_CLIENT_ID, AZURE_TENANT_ID and "
        "AZURE_CLIENT_SECRET, or `az login`."
    )


class AzureCredentialsRefused(AzureCredentialsError):
    """Azure does not accept the key, the secret or the token."""

    remedy = "Check the key, secret or token of the credentials block, and that it has not been replaced or removed."


class AzureCredentialsExpired(AzureCredentialsRefused):
    """The secret, the certificate or the shared access signature has expired."""

    remedy = "Make a new one and save it in the credentials block."


class AzureClockSkew(AzureCredentialsError):
    """The clock of this machine is too far from Azure's, so signed requests are not valid."""

    remedy = "Set this machine's clock by NTP."


class AzureInvalidRequest(AzureError, ValueError):
    """The request is not one that the service accepts."""


class AzureQuotaExceeded(AzureError):
    """A quota or a limit of the subscription, the account or the region is used up."""

    remedy = (
        "Free what is not needed, choose another region or a smaller size, or ask for a higher quota "
        "(https://learn.microsoft.com/en-us/azure/quotas/)."
    )


class AzureUnavailable(AzureError):
    """The service failed on its side or could not be reached; the request may succeed when repeated."""

    remedy = "Try again later."


class AzureRateLimited(AzureUnavailable, AzureQuotaExceeded):
    """Too many requests in a short time."""

    remedy = "Send fewer requests at once."


class AzureConnectionFailed(AzureUnavailable, ConnectionError):
    """The service could not be reached, or the connection broke or timed out."""

    remedy = "Check the address, DNS, proxies and the network's way to Azure."


class AzureChecksumMismatch(AzureError):
    """Content does not fit its checksum: it was changed on its way, again and again."""

    remedy = "Look for a proxy that changes content, or for bad memory; then try again."


class AzureJobFailed(AzureError, RuntimeError):
    """A job ended, and not with success."""


class AzureBundleRefused(AzureError, RuntimeError):
    """A bundle is not what was uploaded, is none, or its files are not safe to unpack."""


class AzureWaitTimeout(AzureError, WaitTimeout):
    """The time was up before what was waited for came."""


# Codes of storage: https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes
# Codes of Resource Manager: https://learn.microsoft.com/en-us/azure/azure-resource-manager/troubleshooting/common-deployment-errors
_BY_CODE: dict[str, type[AzureError]] = {
    "AccountBeingCreated": AzureUnavailable,
    "AccountIsDisabled": AzureAccessDenied,
    "AnotherOperationInProgress": AzureConflict,
    "AuthenticationFailed": AzureCredentialsRefused,
    "AuthorizationFailed": AzureAccessDenied,
    "AuthorizationFailure": AzureAccessDenied,
    "AuthorizationPermissionMismatch": AzureAccessDenied,
    "BlobAlreadyExists": BlobExists,
    "BlobNotFound": BlobNotFound,
    "PathNotFound": BlobNotFound,
    "PathAlreadyExists": BlobExists,
    "ConditionNotMet": AzurePreconditionFailed,
    "TargetConditionNotMet": AzurePreconditionFailed,
    "SourceConditionNotMet": AzurePreconditionFailed,
    "ContainerAlreadyExists": AzureAlreadyExists,
    "ContainerBeingDeleted": AzureConflict,
    "ContainerNotFound": ContainerNotFound,
    "FilesystemNotFound": ContainerNotFound,
    "FilesystemAlreadyExists": AzureAlreadyExists,
    "Gone": AzureUnavailable,  # Cosmos DB: a partition moves
    "ContainerGroupQuotaReached": AzureQuotaExceeded,
    "ContainerGroupTransitioning": AzureConflict,
    "CannotVerifyCopySource": AzureNotFound,
    "DeploymentQuotaExceeded": AzureQuotaExceeded,
    "ExpiredAuthenticationToken": AzureCredentialsExpired,
    "InsufficientAccountPermissions": AzureAccessDenied,
    "InvalidAuthenticationInfo": AzureCredentialsRefused,
    "InvalidAuthenticationToken": AzureCredentialsRefused,
    "InvalidAuthenticationTokenTenant": AzureCredentialsRefused,
    "LinkedAuthorizationFailed": AzureAccessDenied,
    "Md5Mismatch": AzureChecksumMismatch,
    "Crc64Mismatch": AzureChecksumMismatch,
    "OperationTimedOut": AzureUnavailable,
    "PublicAccessNotPermitted": AzureAccessDenied,
    "QuotaExceeded": AzureQuotaExceeded,
    "ResourceAlreadyExists": AzureAlreadyExists,
    "ResourceQuotaExceeded": AzureQuotaExceeded,
    "ResourceRequestsThrottled": AzureRateLimited,
    "ServerBusy": AzureUnavailable,
    "ServiceTimeout": AzureUnavailable,
    "ServiceUnavailable": AzureUnavailable,
    "SkuNotAvailable": AzureQuotaExceeded,
    "RegionCapacityNotAvailable": AzureQuotaExceeded,
    "SubscriptionRequestsThrottled": AzureRateLimited,
    "TooManyRequests": AzureRateLimited,
    "UnauthorizedBlobOverwrite": BlobExists,
    "InternalError": AzureUnavailable,
    "InternalServerError": AzureUnavailable,
}
_BY_STATUS: dict[int, type[AzureError]] = {
    400: AzureInvalidRequest,
    401: AzureCredentialsRefused,
    403: AzureAccessDenied,
    404: AzureNotFound,
    405: AzureInvalidRequest,
    408: AzureUnavailable,
    409: AzureConflict,
    410: AzureNotFound,
    411: AzureInvalidRequest,
    412: AzurePreconditionFailed,
    413: AzureInvalidRequest,
    415: AzureInvalidRequest,
    416: AzureInvalidRequest,
    422: AzureInvalidRequest,
    425: AzureUnavailable,
    429: AzureRateLimited,
    449: AzureUnavailable,  # Cosmos DB: another request changes the same thing
    501: AzureInvalidRequest,
}
_NO_FEDERATION: tuple[type[AzureError], str] = (
    AzureCredentialsRefused,
    "Check the federated credential of the application: its issuer, subject and audience must be those of the token.",
)
# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
_SIGN_IN: dict[str, tuple[type[AzureError], str]] = {
    "AADSTS7000215": (
        AzureCredentialsRefused,
        "Check client_secret: it is the secret's value, not its ID, and belongs to this client_id.",
    ),
    "AADSTS7000222": (
        AzureCredentialsExpired,
        "The client secret has expired. Make a new one for the application and save it as client_secret.",
    ),
    "AADSTS700016": (
        AzureCredentialsRefused,
        "Check client_id and tenant_id: the tenant has no such application.",
    ),
    "AADSTS90002": (AzureCredentialsRefused, "Check tenant_id, and cloud: there is no such tenant."),
    "AADSTS900023": (AzureCredentialsRefused, "Check tenant_id: it is neither an ID nor a domain name."),
    "AADSTS700027": (
        AzureCredentialsRefused,
        "Check certificate: its thumbprint is not among those of the application.",
    ),
    "AADSTS700024": (
        AzureCredentialsExpired,
        "Check this machine's clock, and that federated_token_file is a file that is kept fresh.",
    ),
    "AADSTS700212": _NO_FEDERATION,
    "AADSTS70021": _NO_FEDERATION,
    "AADSTS700213": _NO_FEDERATION,
    "AADSTS90033": (AzureUnavailable, AzureUnavailable.remedy),
    "AADSTS50196": (AzureRateLimited, AzureRateLimited.remedy),
}


@contextmanager
def azure_errors(
    subject: str,
    *,
    identity: str = "",
    not_found: type[AzureNotFound] = AzureNotFound,
    secrets: Iterable[Secret] = (),
) -> Generator[None, None, None]:
    """Raise failures of Azure's SDKs as this package's errors, naming `subject`.

    Args:
        subject: What the work is about: `Blob 'a/b' of container 'c'`, `Container group 'x'`.
        identity: Who asks, for the message of an access that is denied.
        not_found: The class for a plain "not found", where the answer alone does not say what is missing.
        secrets: Values that the request carries. Azure repeats refused values in its messages; these are masked.

    Raises:
        AzureError: One of its subclasses, also an instance of the SDK's exception, with that one as its cause.
    """
    try:
        yield
    except AzureError:
        raise
    except Exception as exc:
        error = translate(exc, subject, identity=identity, not_found=not_found, secrets=secrets)
        if error is None:
            raise
        raise error from exc


def translate(
    exc: BaseException,
    subject: str,
    *,
    identity: str = "",
    not_found: type[AzureNotFound] = AzureNotFound,
    secrets: Iterable[Secret] = (),
) -> AzureError | None:
    """Make this package's error of an SDK's exception; `None` when it is not an SDK's.

    Args:
        exc: Any exception. Secrets that it quotes are masked in place, since it stays visible as the cause.
        subject: What the work is about.
        identity: Who asks.
        not_found: The class for a plain "not found".
        secrets: Values to mask.
    """
    from ._answers import read_answer

    if isinstance(exc, AzureError):
        return exc
    if read_answer(exc) is None:
        return None
    secrets = tuple(secrets)
    mask_secrets(exc, secrets)
    answer = read_answer(exc)
    if answer is None:
        return None
    cls, remedy = _classify(answer)
    if cls is AzureNotFound:
        cls, remedy = not_found, not_found.remedy
    if cls is AzureAccessDenied:
        remedy = _grant(answer, identity)
    where = " ".join(str(part) for part in (answer.http_status, answer.code) if part)
    reason = Redactor(secrets).redact(answer.message).strip().rstrip(".") or type(exc).__name__
    message = f"{subject}: {reason}{f' ({where})' if where else ''}. {remedy}".rstrip()
    return standing_for(
        cls,
        exc,
        message,
        subject=subject,
        http_status=answer.http_status,
        code=answer.code,
        action=answer.action,
        scope=answer.scope,
        identity=identity,
        retry_after=answer.retry_after,
    )


def is_transient(exc: BaseException) -> bool | float:
    """Say whether another attempt may succeed, and after how many seconds if Azure said so.

    It has the form that `prefect_integration_kit.waiting.retry` takes.

    Args:
        exc: What the last attempt raised: an error of this package or of an SDK.
    """
    error = exc if isinstance(exc, AzureError) else translate(exc, "Azure")
    if not isinstance(error, AzureUnavailable):
        return False
    return error.retry_after or True


def _classify(answer: Answer) -> tuple[type[AzureError], str]:
    if answer.kind == "connection":
        return AzureConnectionFailed, AzureConnectionFailed.remedy
    if answer.kind == "credentials":
        return _classify_sign_in(answer)
    cls = _by_code(answer) or _by_status(answer)
    return cls, cls.remedy


def _by_code(answer: Answer) -> type[AzureError] | None:
    text = answer.message.lower()
    if (
        answer.code in ("AuthenticationFailed", "InvalidAuthenticationInfo")
        and "signature not valid in the specified time" in text
    ):
        return AzureCredentialsExpired
    if "failed to authenticate the request" in text:
        return AzureCredentialsRefused
    if answer.code.endswith(("QuotaReached", "QuotaExceeded")):
        return AzureQuotaExceeded
    for code in (answer.code, *sorted(answer.codes)):
        if code in _BY_CODE:
            return _BY_CODE[code]
    return None


def _by_status(answer: Answer) -> type[AzureError]:
    status = answer.http_status
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and status >= 500:
        return AzureUnavailable
    return AzureError


def _classify_sign_in(answer: Answer) -> tuple[type[AzureError], str]:
    if answer.code in _SIGN_IN:
        return _SIGN_IN[answer.code]
    if "authority configuration" in answer.message:  # MSAL's words when the tenant's own description is not found
        return AzureCredentialsRefused, "Check tenant_id, and cloud or authority: there is no such tenant."
    if answer.http_status in (408, 429) or (answer.http_status or 0) >= 500:
        cls = AzureRateLimited if answer.http_status == 429 else AzureUnavailable
    elif answer.missing:
        cls = AzureCredentialsMissing
    else:
        cls = AzureCredentialsRefused
    return cls, cls.remedy


def _grant(answer: Answer, identity: str) -> str:
    if identity.lower().endswith("signature"):
        return "Make a signature with that permission, or use an account key or an identity of Microsoft Entra ID."
    if "read-only key" in answer.message:  # of Cosmos DB
        return "Use a read-write key of the account."
    who = identity or "this identity"
    what = f"a role with the action {answer.action}" if answer.action else "a role that allows it"
    where = f" on {answer.scope}" if answer.scope else ""
    # Items of Cosmos DB have roles of their own: https://learn.microsoft.com/azure/cosmos-db/reference-data-plane-security
    own = "cosmosdb sql " if answer.action.startswith("Microsoft.DocumentDB/databaseAccounts/") else ""
    return f"Grant {who} {what}{where} (az {own}role assignment create); it takes effect within some minutes."
