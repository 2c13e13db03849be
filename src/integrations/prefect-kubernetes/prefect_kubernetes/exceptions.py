"""The errors of this package that are the Kubernetes SDK's by name, too; `prefect_kubernetes.errors` draws the tree.

Importing this module loads `kubernetes_asyncio`, as a caller who catches these has done anyway.
"""

from __future__ import annotations

from kubernetes_asyncio.client.exceptions import ApiException, OpenApiException

from . import errors


class KubernetesJobDefinitionError(errors.KubernetesDefinitionInvalid, OpenApiException):
    """The definition of a Kubernetes job is not valid; the message names the field."""


class KubernetesJobFailedError(errors.KubernetesJobFailed, OpenApiException):
    """A Kubernetes job failed; the message says why. It is a `RuntimeError`."""


class KubernetesResourceNotFoundError(errors.KubernetesNotFound, ApiException):
    """A Kubernetes object, or kind of object, does not exist. It is a `LookupError`."""

    status: int = 404
    reason: str | None = "Not Found"
    body = None
    headers = None


class KubernetesJobTimeoutError(errors.KubernetesJobTimeout, OpenApiException):
    """A Kubernetes job did not end in time. It is a `TimeoutError`."""
