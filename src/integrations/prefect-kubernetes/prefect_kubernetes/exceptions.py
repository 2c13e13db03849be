"""The errors of this package that are the Kubernetes SDK's by name, too; `prefect_kubernetes.errors` draws the tree.

Importing this module loads `kubernetes_asyncio`, as a caller who catches these has done anyway.
"""

from __future__ import annotations

from typing import Any

from kubernetes_asyncio.client.exceptions import ApiException, OpenApiException

from . import errors


class KubernetesJobDefinitionError(errors.KubernetesDefinitionInvalid, OpenApiException):
    """The definition of a Kubernetes job is not valid; the message names the field."""


class KubernetesJobFailedError(errors.KubernetesJobFailed, OpenApiException):
    """A Kubernetes job failed; the message says why. It is a `RuntimeError`."""


class KubernetesResourceNotFoundError(errors.KubernetesNotFound, ApiException):
    """A Kubernetes object, or kind of object, does not exist. It is a `LookupError`.

    Args:
        message: What `str` says; or the status, where it is made as `ApiException` is.
        reason: As of `ApiException`.
        http_resp: As of `ApiException`.
        status: As of `ApiException`.
        subject: What the work was about.
    """

    status: int = 404
    reason: str | None = "Not Found"
    body = None
    headers = None

    def __init__(
        self,
        message: str | int | None = None,
        reason: str | None = None,
        http_resp: Any = None,
        *,
        status: int | None = None,
        subject: str = "",
    ) -> None:
        text = message if isinstance(message, str) else ""
        code = message if isinstance(message, int) else status
        if not text and (code, reason, http_resp) != (None, None, None):
            ApiException.__init__(self, code, reason, http_resp)
            text = ApiException.__str__(self)
        super().__init__(text, subject=subject)


class KubernetesJobTimeoutError(errors.KubernetesJobTimeout, OpenApiException):
    """A Kubernetes job did not end in time. It is a `TimeoutError`."""
