"""What can go wrong with a Kubernetes cluster, as Python exceptions.

    KubernetesError (InfrastructureError)       of `prefect.exceptions`
    ├── KubernetesNotFound (LookupError)
    ├── KubernetesConflict                      changed meanwhile, or being deleted
    │   └── KubernetesAlreadyExists (FileExistsError)
    ├── KubernetesGone                          a list or watch must start anew
    ├── KubernetesAccessDenied (PermissionError)
    │   └── KubernetesCredentialsRefused        the cluster does not know who we are
    ├── KubernetesAdmissionRefused (ValueError) a webhook, a limit range or a policy says no
    │   └── KubernetesQuotaExceeded
    ├── KubernetesInvalid (ValueError)
    ├── KubernetesThrottled
    ├── KubernetesUnavailable (ConnectionError)
    │   ├── KubernetesTimeout (TimeoutError)
    │   └── KubernetesTlsRefused                certificates do not fit
    ├── KubernetesConfigInvalid (ValueError)
    │   └── KubernetesConfigMissing (FileNotFoundError)
    ├── KubernetesDefinitionInvalid (ValueError)
    ├── KubernetesJobFailed (RuntimeError)
    └── KubernetesJobTimeout (TimeoutError)

`kube_errors` is the only place where the SDK's exceptions are translated. What it raises is an instance of one of these
classes and also of the SDK's own class, with its attributes: code that catches `ApiException` of `kubernetes_asyncio`
and looks at `.status` goes on working. `prefect_kubernetes.exceptions` holds those that are both by name.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prefect.exceptions import InfrastructureError

from prefect_integration_kit.redact import Secret
from prefect_integration_kit.sdk_errors import TranslatedError


class KubernetesError(TranslatedError, InfrastructureError):
    """A request to a Kubernetes cluster failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about: `Job 'load' in namespace 'data'`.
    """

    # A stub raises a class without a message: `AsyncMock(side_effect=KubernetesJobTimeoutError)`.
    def __init__(self, message: str = "", *, subject: str = "") -> None:
        super().__init__(message, subject=subject)


class KubernetesNotFound(KubernetesError, LookupError):
    """The object does not exist, or the cluster serves no such kind of object."""

    remedy = "Check the name, the namespace and the cluster."


class KubernetesConflict(KubernetesError):
    """The object was changed by someone else meanwhile, or is being deleted."""

    remedy = "Read the object again and repeat the change."


class KubernetesAlreadyExists(KubernetesConflict, FileExistsError):
    """An object of this kind and name is there already."""

    remedy = "Choose another name, or give generateName instead of name."


class KubernetesGone(KubernetesError):
    """The position of a list or a watch is too old: it must start anew."""

    remedy = "List again and watch from there."


class KubernetesAccessDenied(KubernetesError, PermissionError):
    """The identity that we use may not do that.

    Attributes:
        user: Who asked, as the cluster names it.
        verb: What was asked: `create`, `get`, `list`, `watch`, `patch`, `update`, `delete`.
        resource: The plural of the kind, with its subresource: `pods/log`.
        api_group: Group of the kind; empty for the core group.
        namespace: Where; empty for the whole cluster.
    """

    user: str = ""
    verb: str = ""
    resource: str = ""
    api_group: str = ""
    namespace: str = ""


class KubernetesCredentialsRefused(KubernetesAccessDenied):
    """The cluster does not accept the credentials: the token has expired, is of another cluster, or is missing."""

    remedy = (
        "Sign in again and give the block a kubeconfig with new credentials, or one with an exec plugin or a "
        "tokenFile, which are read again when they expire."
    )


class KubernetesAdmissionRefused(KubernetesError, ValueError):
    """An admission rule of the cluster refuses the object: a webhook, a limit range, pod security."""

    remedy = "Change the object, or ask the cluster's administrator to change the rule."


class KubernetesQuotaExceeded(KubernetesAdmissionRefused):
    """The namespace's quota does not admit the object."""

    remedy = "Request less, wait until other pods end, or have the ResourceQuota of the namespace raised."


class KubernetesInvalid(KubernetesError, ValueError):
    """The API server does not understand or accept the request.

    Attributes:
        fields: What it finds wrong: the path of each field, such as `spec.template.spec.restartPolicy`, and why.
    """

    fields: tuple[tuple[str, str], ...] = ()


class KubernetesThrottled(KubernetesError):
    """The API server asks us to come back later.

    Attributes:
        retry_after_seconds: When, if it says so.
    """

    retry_after_seconds: float | None = None


class KubernetesUnavailable(KubernetesError, ConnectionError):
    """The API server cannot be reached, or cannot serve the request now.

    Attributes:
        was_sent: Whether the request may have reached the server, and so may have had its effect.
        retry_after_seconds: When to come back, if the server says so.
    """

    was_sent: bool = True
    retry_after_seconds: float | None = None


class KubernetesTimeout(KubernetesUnavailable, TimeoutError):
    """The API server did not answer in time."""


class KubernetesTlsRefused(KubernetesUnavailable):
    """The connection is not secure: a certificate is missing, has expired, or belongs to another host or authority."""

    was_sent = False
    remedy = (
        "Check the cluster's certificate-authority and server in the kubeconfig (and tls-server-name, when the "
        "certificate is issued for another name)."
    )


class KubernetesConfigInvalid(KubernetesError, ValueError):
    """The kubeconfig does not say how to reach the cluster."""


class KubernetesConfigMissing(KubernetesConfigInvalid, FileNotFoundError):
    """There is no kubeconfig, and this process does not run in a pod with a service account."""


class KubernetesDefinitionInvalid(KubernetesError, ValueError):
    """A manifest is not one that the cluster could accept."""


class KubernetesJobFailed(KubernetesError, RuntimeError):
    """A job ended without success."""


class KubernetesJobTimeout(KubernetesError, TimeoutError):
    """A job did not end in time."""


@contextmanager
def kube_errors(subject: str, *, secrets: Iterable[Secret] = ()) -> Generator[None, None, None]:
    """Raise failures of kubernetes_asyncio and of its connections as this package's errors, naming `subject`.

    Args:
        subject: What the work is about: `Job 'load' in namespace 'data'`.
        secrets: Values that the request carries. The API server repeats refused values in its messages; these are
            masked.

    Raises:
        KubernetesError: One of its subclasses, also an instance of the SDK's exception, with that one as its cause.
    """
    try:
        yield
    except KubernetesError:
        raise
    except Exception as exc:
        error = translate(exc, subject, secrets=secrets)
        if error is None:
            raise
        raise error from exc


def translate(exc: Exception, subject: str, *, secrets: Iterable[Secret] = ()) -> KubernetesError | None:
    """Make this package's error of an SDK exception; `None` when it is not one of the SDK or its connections.

    Args:
        exc: Any exception.
        subject: What the work is about.
        secrets: Values to mask.
    """
    from . import _failures  # loads the SDK, which has been loaded if the failure is its

    return _failures.translate(exc, subject, secrets)
