"""What an exception of one of Azure's SDKs says, in one form.

`azure.core` (management, storage, vaults, Cosmos DB), `azure.identity` (tokens), `azure.servicebus` and what lies below
them (`requests`, `urllib3`, `aiohttp`, sockets) raise for the same kinds of failure. Nothing is imported here: who
raised it has imported it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from prefect_integration_kit.network_errors import is_network_error, no_answer
from prefect_integration_kit.waiting import retry_after_seconds

_NETWORK = frozenset({"requests.exceptions", "urllib3.exceptions", "aiohttp.client_exceptions"})
_CORE = "azure.core.exceptions."
_NO_ANSWER = frozenset(
    {
        _CORE + "ServiceRequestError",
        _CORE + "ServiceResponseError",
        _CORE + "IncompleteReadError",
        "azure.servicebus.exceptions.ServiceBusConnectionError",
        "azure.servicebus.exceptions.OperationTimeoutError",
        "azure.servicebus.exceptions.ServiceBusCommunicationError",
    }
)
# Classes that say it all: whoever raises one by hand, as stubs in tests do, gives no response. What HTTP would say.
_SAID_BY_CLASS: dict[str, tuple[int, str]] = {
    _CORE + "ResourceExistsError": (409, "ResourceAlreadyExists"),
    _CORE + "ResourceModifiedError": (412, ""),
    _CORE + "ResourceNotFoundError": (404, ""),
}
# Delays in milliseconds and in seconds: https://learn.microsoft.com/en-us/azure/architecture/best-practices/retry-service-specific
_DELAYS = (("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0))
# "does not have authorization to perform action 'Microsoft.X/y/write' over scope '/subscriptions/…'"
_ACTION = re.compile(r"[Aa]ction:? '([^']+)'(?: or the scope)?")
_SCOPE = re.compile(r"(?:over scope|Resource:) '([^']+)'")
_AADSTS = re.compile(r"\bAADSTS\d+\b")
_TRACE = re.compile(
    r"\s*(?:Trace ID|Correlation ID|Timestamp|RequestId|Time|Activity ?Id): ?\S+(?: \d\d:\d\d:\d\dZ)?", re.IGNORECASE
)
_LOG_ADVICE = re.compile(
    r"\s*(?:To mitigate this issue, please refer to the troubleshooting guidelines here at"
    r"|Visit https://aka.ms/azsdk/\S+ to troubleshoot this issue\.|For more information, refer to) ?\S*"
)
# How MSAL and azure-identity say what has no code: that the token endpoint failed, that there is no identity.
_HTTP_ERROR = re.compile(r"HTTP Error: (\d{3})\b")
# What `requests` and urllib3 say of a broken line; a chain of credentials keeps only the text of its last attempt.
_BROKEN_LINE = re.compile(
    r"Authentication failed: [^\n]*(?:Connection aborted|Connection broken|timed out|Failed to resolve"
    r"|Failed to establish a new connection|Max retries exceeded|IncompleteRead|\[SSL: )"
)
_NOTHING_FOUND = "failed to retrieve a token from the included credentials"


@dataclass(frozen=True)
class Answer:
    """The failure.

    Attributes:
        kind: Whether a service answered, no answer came, or no token was to be had.
        message: The service's own words.
        http_status: Of the answer.
        code: Azure's error code, such as `BlobNotFound` or `AADSTS7000215`.
        codes: It and the codes within.
        action: The action that is not permitted, such as `Microsoft.ContainerInstance/containerGroups/write`.
        scope: The resource that it is not permitted on.
        retry_after: Seconds that the service asks to wait.
        missing: Whether there is no identity at all.
    """

    kind: Literal["service", "connection", "credentials"]
    message: str
    http_status: int | None = None
    code: str = ""
    codes: frozenset[str] = frozenset()
    action: str = ""
    scope: str = ""
    retry_after: float | None = None
    missing: bool = False


def read_answer(exc: BaseException) -> Answer | None:
    """Read an exception; `None` when it is none of Azure's SDKs' and no failure of the network."""
    names = {f"{cls.__module__}.{cls.__name__}" for cls in type(exc).__mro__}
    modules = {cls.__module__ for cls in type(exc).__mro__}
    if "azure.core.exceptions.AzureError" in names:
        return _of_azure(exc, names, modules)
    if modules & _NETWORK or is_network_error(exc):
        return Answer("connection", no_answer(exc))
    if _is_azureml(modules):
        return _of_azureml(exc)
    return None


def _of_azure(exc: BaseException, names: set[str], modules: set[str]) -> Answer:
    source: Any = exc
    response: Any = getattr(source, "response", None)
    if response is None and names & _NO_ANSWER:
        return Answer("connection", no_answer(exc))
    status = getattr(source, "status_code", None)
    status = int(status) if isinstance(status, int | str) and str(status).isdigit() and int(status) else None
    headers = _headers(response, source)
    code, codes, said = _codes(source, response, headers)
    message = said or _first_words(exc)
    action, scope = _denied(message)
    if any(module.startswith("azure.cosmos") for module in modules):
        message, action, scope, codes = _of_cosmos(message, names, codes)
    if any(module.startswith("azure.servicebus") for module in modules):
        status, codes = _of_service_bus(names, status, codes)
    if status is None and response is None and (named := names & _SAID_BY_CLASS.keys()):
        status, implied = _SAID_BY_CLASS[min(named)]
        codes |= {implied} - {""}
    is_identity = any(module.startswith("azure.identity") for module in modules) or (
        _CORE + "ClientAuthenticationError" in names and bool(_AADSTS.search(message) or status is None)
    )
    if found := _AADSTS.search(message):
        code = found.group()
        codes = codes | {code}
    if is_identity:
        inner = _network_cause(exc)
        if inner is not None:
            return Answer("connection", no_answer(inner))
        if _NOTHING_FOUND in message and _BROKEN_LINE.search(message):
            return Answer("connection", _tidy(message))
        if status is None and (said_status := _HTTP_ERROR.search(message)):
            status = int(said_status.group(1))
        return Answer(
            "credentials",
            _tidy(message).removeprefix("Authentication failed: "),
            http_status=status,
            code=code,
            codes=codes,
            retry_after=_retry_after(headers),
            missing="azure.identity._exceptions.CredentialUnavailableError" in names
            or (_NOTHING_FOUND in message and not code),
        )
    return Answer(
        "service",
        _tidy(message),
        http_status=status,
        code=code,
        codes=codes,
        action=action,
        scope=scope,
        retry_after=_retry_after(headers),
    )


# AMQP has no status; these are the classes of the SDK, and what HTTP would say.
_SERVICE_BUS: dict[str, tuple[int, str]] = {
    "MessagingEntityNotFoundError": (404, ""),
    "MessagingEntityDisabledError": (409, ""),
    "MessageLockLostError": (412, ""),
    "MessageNotFoundError": (404, ""),
    "MessageSizeExceededError": (413, ""),
    "ServiceBusAuthenticationError": (401, ""),
    "ServiceBusAuthorizationError": (403, ""),
    "ServiceBusQuotaExceededError": (403, "QuotaExceeded"),
    "ServiceBusServerBusyError": (429, "TooManyRequests"),
    "SessionCannotBeLockedError": (409, ""),
    "SessionLockLostError": (412, ""),
}


def _of_service_bus(names: set[str], status: int | None, codes: frozenset[str]) -> tuple[int | None, frozenset[str]]:
    for name, (known_status, code) in _SERVICE_BUS.items():
        if f"azure.servicebus.exceptions.{name}" in names:
            return known_status, codes | ({code} if code else frozenset[str]())
    if names & {"azure.servicebus.exceptions.ServiceBusError"} and status is None:
        return 503, codes  # the SDK's word for whatever else the service says
    return status, codes


def _is_azureml(modules: set[str]) -> bool:
    """Whether a class is of azureml-core, or of the REST library below it."""
    return any(module.partition(".")[0] in ("azureml", "msrest") for module in modules)


def _of_azureml(exc: BaseException) -> Answer:
    from ._ml.words import read_azureml

    said = read_azureml(exc)
    if said.http_status is None and (inner := _network_cause(exc)) is not None:
        return Answer("connection", no_answer(inner))
    action, scope = _denied(said.message)
    codes = frozenset({said.code} - {""})
    return Answer("service", said.message, said.http_status, said.code, codes, action=action, scope=scope)


def _denied(message: str) -> tuple[str, str]:
    action, scope = _ACTION.search(message), _SCOPE.search(message)
    return (action.group(1) if action else ""), (scope.group(1) if scope else "")


def _of_cosmos(message: str, names: set[str], codes: frozenset[str]) -> tuple[str, str, str, frozenset[str]]:
    """Cosmos DB wraps its sentences in JSON, and has an authorization of its own for items."""
    from ._cosmos.words import denied_action, plain_words

    if "azure.cosmos.exceptions.CosmosResourceExistsError" in names:
        codes = codes | {"ResourceAlreadyExists"}
    return (plain_words(message), *denied_action(message), codes)


def _network_cause(exc: BaseException) -> BaseException | None:
    """The broken connection behind "Authentication failed: …", which the identity library says of any failure."""
    seen = 0
    inner: BaseException | None = exc
    while inner is not None and seen < 8:
        names = {f"{cls.__module__}.{cls.__name__}" for cls in type(inner).__mro__}
        modules = {cls.__module__ for cls in type(inner).__mro__}
        if names & _NO_ANSWER or modules & _NETWORK or is_network_error(inner):
            return inner
        inner, seen = inner.__cause__ or inner.__context__, seen + 1
    return None


def _headers(response: Any, source: Any) -> Mapping[str, str]:
    found: Any = getattr(response, "headers", None)
    if found is None:
        found = getattr(source, "headers", None)
    if not isinstance(found, Mapping):
        return {}
    members = cast("Mapping[Any, Any]", found)
    return {str(name).lower(): str(members[name]) for name in members}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, per_second in _DELAYS:
        with contextlib.suppress(ValueError):
            if name in headers:
                return float(headers[name]) / per_second
    return retry_after_seconds(headers.get("retry-after"))


def _codes(source: Any, response: Any, headers: Mapping[str, str]) -> tuple[str, frozenset[str], str]:
    """The error code, all codes, and the message of an answer."""
    found: list[str] = []
    message = ""
    own = getattr(source, "error_code", None)  # storage: text, or an enumeration
    if own:
        found.append(str(getattr(own, "value", own)))
    elif code := headers.get("x-ms-error-code"):
        found.append(code)
    error: Any = getattr(source, "error", None) or _odata(response)
    for _ in range(6):  # an error within an error within…
        if error is None:
            break
        message = message or str(_part(error, "message") or "")
        found += [str(code)] if (code := _part(error, "code")) else []
        details = _part(error, "details")
        for detail in cast("list[Any]", details) if isinstance(details, list) else []:
            found += [str(code)] if (code := _part(detail, "code")) else []
            said = str(_part(detail, "message") or "")
            if said and said not in message:
                message = f"{message.rstrip('.')}: {said}" if message else said
        error = _part(error, "innererror")
    return (found[0] if found else ""), frozenset(found), message


def _part(error: Any, name: str) -> Any:
    """A member of an error, which is a mapping or an object of the SDK."""
    if isinstance(error, Mapping):
        return cast("Mapping[str, Any]", error).get(name)
    return getattr(error, name, None)


def _odata(response: Any) -> Any:
    """The `error` of a body in JSON, where the SDK did not read it."""
    try:
        body = json.loads(response.text())
    except Exception:  # noqa: BLE001 - no body, not read, not text, not JSON
        return None
    return cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None


def _first_words(exc: BaseException) -> str:
    said = getattr(exc, "message", None)
    return str(said or (exc.args[0] if exc.args else "") or type(exc).__name__)


def _tidy(message: str) -> str:
    """Drop what only support can use; it stays in the exception behind."""
    message = message.split("\nErrorCode:")[0].split("\nContent:")[0]
    message = _LOG_ADVICE.sub("", _TRACE.sub("", message))
    return re.sub(r"\s*\n\s*", " ", message).strip()
