"""Azure Machine Learning at the network's edge, for both of its SDKs.

A proxy answers for Azure Resource Manager, the host of the workspaces, and the blobs of the local emulator's account;
the SDKs are Azure's own and know nothing of it. Behind it are workspaces and blob datastores only: no jobs, assets,
computes; nothing is validated against the storage account when a datastore is registered, as Azure does; the answers
follow the SDKs' models and Azure's published reference, and have not been compared with Azure's own.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from ._azure.ml_edge import MlEdge
from ._azure.ml_service import ARM, OWN, MlCall
from ._azure.ml_store import Datastore, MlRefused, Workspace
from ._call_faults import Fault, When

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from .azure_identity import AzureIdentity
    from .certificates import PrivateCA

__all__ = ["AzureMl", "Datastore", "MlCall", "Workspace", "azure_ml", "empty_azure_ml"]

SUBSCRIPTION_ID = "6f1a2b3c-0000-4000-8000-000000000001"
GROUP = "research"
_BLOBS = "devstoreaccount1.blob.core.windows.net"


class AzureMl:
    """The proxy, what is behind it, and what a test may do to it. Every method may be called from any thread."""

    subscription_id = SUBSCRIPTION_ID
    resource_group = GROUP

    def __init__(self, ca: PrivateCA) -> None:
        """Start to listen on a free loopback port.

        Args:
            ca: The authority that clients trust.
        """
        hosts = (ARM, OWN, _BLOBS)
        issued = ca.issue(f"ml-{uuid.uuid4().hex[:8]}", *hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert_file, issued.key_file)
        self.edge = MlEdge(context, hosts)
        self.ca_bundle = str(ca.ca_file)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead a client here."""
        proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.edge.proxy)
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1")
        return {**proxies, **direct, "REQUESTS_CA_BUNDLE": self.ca_bundle}

    @property
    def calls(self) -> list[MlCall]:
        """All requests since the last reset, in order."""
        return self.edge.calls

    @property
    def refused(self) -> list[str]:
        """Hosts that somebody wanted to reach and that are not here."""
        return self.edge.refused

    @property
    def denied(self) -> set[str]:
        """Actions that nobody may do, such as `Microsoft.MachineLearningServices/workspaces/datastores/write`."""
        return self.edge.service.denied

    def workspace(self, name: str = "lab") -> Workspace:
        """A workspace; it is made if there is none.

        Args:
            name: Of the workspace.
        """
        known = self.edge.service.workspaces
        return known.setdefault(name, Workspace(self.subscription_id, self.resource_group, name))

    def trust(self, identity: AzureIdentity) -> None:
        """Take the tokens of an identity server only, until the reset.

        Args:
            identity: The server.
        """
        self.edge.service.tenant_id = identity.tenant_id
        self.edge.check_token = identity.check

    def lead_blobs_to(self, endpoint: str) -> None:
        """Let the blobs of account `devstoreaccount1` be those of a local server.

        Args:
            endpoint: `http://127.0.0.1:port`.
        """
        self.edge.forward[_BLOBS] = urlsplit(endpoint).port or 80

    def calls_of(self, method: str) -> list[MlCall]:
        """Give the calls of one kind so far.

        Args:
            method: Such as `Workspaces_Get`; `*` stands for anything in it.
        """
        from fnmatch import fnmatchcase

        return [call for call in list(self.calls) if fnmatchcase(call.method, method)]

    def fail(
        self,
        method: str,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        code: str = "ServiceUnavailable",
        message: str = "The service is not available.",
        retry_after_seconds: int | None = None,
    ) -> None:
        """Let calls fail.

        Args:
            method: Such as `Workspaces_Get`; `*` stands for anything in it.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: `before`, `after`, `lost` or `cut`, as for the other local servers.
            code: Azure's word for the refusal.
            message: What is said.
            retry_after_seconds: Send `Retry-After`.
        """
        error = MlRefused(status, code, message, retry_after_seconds=retry_after_seconds)
        self.edge.faults.add(Fault(method, error, times, when))

    def reset(self) -> None:
        """Forget everything."""
        self.edge.reset()

    def close(self) -> None:
        """Stop to listen."""
        self.edge.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


@pytest.fixture(scope="session")
def azure_ml(azure_identity: AzureIdentity) -> Iterator[AzureMl]:
    """The proxy, whose certificates are of the authority of `azure_identity`; tests share it."""
    with AzureMl(azure_identity.ca) as server:
        yield server


@pytest.fixture
def empty_azure_ml(azure_ml: AzureMl, azure_identity: AzureIdentity) -> AzureMl:
    """The proxy after a reset, with tokens of `azure_identity`."""
    azure_ml.reset()
    azure_ml.trust(azure_identity)
    return azure_ml
