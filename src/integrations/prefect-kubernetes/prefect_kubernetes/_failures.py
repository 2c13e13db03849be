"""Read what the API server, the SDK and the connection say of a failure.

Only `errors` uses this module; it loads the SDK.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from kubernetes_asyncio.client.exceptions import ApiException, OpenApiException
from kubernetes_asyncio.config.config_exception import ConfigException

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.waiting import retry_after_seconds

from . import errors
from .exceptions import KubernetesResourceNotFoundError

# https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/errors.go
_DENIED = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_ACCOUNT = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>.+)")
_NAMES_TOKEN = {"request_info", "history"}  # an aiohttp error carries the request's headers, the token among them


@dataclass(frozen=True)
class _Answer:
    """What the API server says, from its `Status` object where it sent one.

    See https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
    """

    code: int
    reason: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, exc: ApiException) -> _Answer:
        failure = cast("Any", exc)
        code, body = int(failure.status or 0), failure.body
        headers = failure.headers
        status: dict[str, Any] = {}
        try:
            parsed: Any = json.loads(body) if body else {}
            status = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
        except ValueError:
            pass
        details: dict[str, Any] = status.get("details") or {}
        asked = retry_after_seconds(headers.get("Retry-After")) if headers is not None else None
        if asked is None and details.get("retryAfterSeconds"):
            asked = float(details["retryAfterSeconds"])
        text = str(status.get("message") or "") or (body if isinstance(body, str) else "")
        return cls(
            code=code or int(status.get("code") or 0),
            reason=str(status.get("reason") or ""),
            message=" ".join((text or str(failure.reason or "")).split())[:2000],
            details=details,
            retry_after_seconds=asked,
        )

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        causes: list[dict[str, Any]] = self.details.get("causes") or []
        return tuple((str(c["field"]), str(c.get("message", ""))) for c in causes if c.get("field"))


def translate(exc: Exception, subject: str, secrets: Iterable[Secret]) -> errors.KubernetesError | None:
    """Make this package's error of `exc`; `None` when it is somebody else's.

    Args:
        exc: Any exception.
        subject: What the work is about.
        secrets: Values to mask in the message.
    """
    attributes: dict[str, Any] = {}
    if isinstance(exc, ApiException):
        answer = _Answer.of(exc)
        cls, message = _read(answer, attributes)
    elif isinstance(exc, OpenApiException):  # the SDK's own checks of arguments
        cls, message = errors.KubernetesInvalid, str(exc)
    elif isinstance(exc, ConfigException):
        cls, message = errors.KubernetesConfigInvalid, str(exc).rstrip(".") + "."
    elif isinstance(exc, aiohttp.ClientError | asyncio.TimeoutError | TimeoutError | ConnectionError | ssl.SSLError):
        cls, message = _read_connection(exc, attributes)
    else:
        return None
    redactor = Redactor(secrets)
    message = redactor.redact(f"{subject}: {message}")
    error = combined(cls, type(exc))(message, subject=subject)
    for name, value in vars(exc).items():
        if name not in _NAMES_TOKEN:
            vars(error).setdefault(name, redactor.redact(value) if isinstance(value, str) else value)
    vars(error).update(attributes)
    return error


def _read(answer: _Answer, attributes: dict[str, Any]) -> tuple[type[errors.KubernetesError], str]:
    code, message = answer.code, answer.message.rstrip(".")
    if code == 401:
        return _said(errors.KubernetesCredentialsRefused, "the cluster does not accept the credentials (401)")
    if code == 403:
        return _read_forbidden(answer, attributes)
    if code == 404:
        return _read_not_found(answer)
    if code == 409:
        exists = answer.reason == "AlreadyExists"
        cls = errors.KubernetesAlreadyExists if exists else errors.KubernetesConflict
        return _said(cls, f"{message} (409)")
    if code == 410:
        return _said(errors.KubernetesGone, f"{message} (410)")
    if code == 429:
        attributes["retry_after_seconds"] = answer.retry_after_seconds
        return _said(errors.KubernetesThrottled, f"{message} (429)")
    if code >= 500 or code == 408:
        attributes["retry_after_seconds"] = answer.retry_after_seconds
        cls = errors.KubernetesTimeout if code in (408, 504) else errors.KubernetesUnavailable
        return _said(cls, f"{message} ({code})")
    if 400 <= code < 500:
        attributes["fields"] = answer.fields
        wrong = "; ".join(f"{name}: {why}" for name, why in answer.fields)
        return _said(errors.KubernetesInvalid, f"{wrong or message} ({answer.reason or 'refused'}, {code})")
    return _said(errors.KubernetesError, message or f"status {code}")


def _said(cls: type[errors.KubernetesError], message: str) -> tuple[type[errors.KubernetesError], str]:
    return cls, f"{message}. {cls.remedy}".rstrip()


def _read_not_found(answer: _Answer) -> tuple[type[errors.KubernetesError], str]:
    if not answer.details.get("name"):
        # Neither the path nor the kind is known: https://kubernetes.io/docs/reference/using-api/#api-groups
        remedy = "Check group, version and plural: kubectl api-resources lists what the cluster serves."
        return KubernetesResourceNotFoundError, f"{answer.message.rstrip('.')} (404). {remedy}"
    if answer.details.get("kind") == "namespaces":
        remedy = "Create the namespace or name another."
        return KubernetesResourceNotFoundError, f"{answer.message.rstrip('.')} (404). {remedy}"
    return _said(KubernetesResourceNotFoundError, f"{answer.message.rstrip('.')} (404)")


def _read_forbidden(answer: _Answer, attributes: dict[str, Any]) -> tuple[type[errors.KubernetesError], str]:
    message = answer.message.rstrip(".")
    denied = _DENIED.search(message)
    if denied is not None:
        found = {name: value or "" for name, value in denied.groupdict().items()}
        attributes.update(
            user=found["user"],
            verb=found["verb"],
            resource=found["resource"],
            api_group=found["group"],
            namespace=found["namespace"],
        )
        return errors.KubernetesAccessDenied, denial(**found)
    if "exceeded quota:" in message or "failed quota:" in message:
        if "must specify" in message:
            return errors.KubernetesQuotaExceeded, (
                f"{message} (403). The quota of the namespace counts these: set them as requests and limits of every "
                "container."
            )
        return _said(errors.KubernetesQuotaExceeded, f"{message} (403)")
    if " is forbidden: " in message or "denied the request" in message:
        return _said(errors.KubernetesAdmissionRefused, f"{message} (403)")
    return errors.KubernetesAccessDenied, f"{message or 'access denied'} (403)."


def denial(user: str, verb: str, resource: str, group: str, namespace: str) -> str:
    """Say what is not allowed, and which rule would allow it.

    Args:
        user: Who asks.
        verb: What is asked.
        resource: Plural of the kind, with its subresource.
        group: API group; empty for the core group.
        namespace: Where; empty for the whole cluster.
    """
    kind, where = ("Role", f"in namespace {namespace!r}") if namespace else ("ClusterRole", "in the whole cluster")
    account = _ACCOUNT.fullmatch(user)
    who = f"service account {account['namespace']}/{account['name']}" if account else f"user {user!r}"
    rule = f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'
    thing = f"{resource} ({group})" if group else resource
    return (
        f"{who} may not {verb} {thing} {where} (403). Add the rule {rule} to a {kind}"
        f"{' there' if namespace else ''} and bind it to the {who}."
    )


def _read_connection(exc: Exception, attributes: dict[str, Any]) -> tuple[type[errors.KubernetesError], str]:
    host, port = getattr(exc, "host", None), getattr(exc, "port", None)
    at = f" at {host}:{port}" if host else ""
    if isinstance(exc, aiohttp.ClientSSLError | ssl.SSLError):
        cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None) or exc
        reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or cause
        return _said(errors.KubernetesTlsRefused, f"no trusted connection to the API server{at}: {reason}")
    if isinstance(exc, aiohttp.ClientConnectorError):
        attributes["was_sent"] = False
        cause = exc.os_error
        reason = cause.strerror or str(cause)
        return errors.KubernetesUnavailable, (
            f"the API server{at} cannot be reached: {reason}. Check that the cluster runs and that `server` in the "
            "kubeconfig is its address."
        )
    if isinstance(exc, asyncio.TimeoutError | TimeoutError):
        attributes["was_sent"] = type(exc).__name__ != "ConnectionTimeoutError"  # aiohttp has it since 3.10
        return errors.KubernetesTimeout, f"the API server{at} did not answer in time."
    reason = str(exc) or type(exc).__name__
    return errors.KubernetesUnavailable, f"the connection to the API server{at} was lost: {reason}."
