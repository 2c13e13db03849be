"""Microsoft Entra ID on this machine: real tokens for real keys, checked assertions, failures when told to.

It serves the discovery and token endpoints over TLS (client secrets, certificates, workload identity federation), the
managed identity endpoints of virtual machines and of App Service, and an `az` to put on the `PATH`.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ._azure.identity_directory import Application, Issued
from ._azure.identity_server import USER, Identities, Port
from ._lifetime import Stopped
from .certificates import PrivateCA

__all__ = ["Application", "AzureIdentity", "Issued"]

TENANT_ID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
HOST_NAME = "localhost"
_AZ = """#!{python}
import json, sys, urllib.error, urllib.parse, urllib.request
arguments = sys.argv[1:]
if arguments[:2] != ["account", "get-access-token"]:
    sys.exit("unknown command: " + " ".join(arguments))
query = urllib.parse.urlencode({{"resource": arguments[arguments.index("--resource") + 1]}})
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
try:
    with opener.open("{endpoint}/cli/token?" + query, timeout=30) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as error:
    sys.exit("ERROR: " + json.loads(error.read())["error"])
"""


class AzureIdentity(Stopped):
    """The servers, with what tests tell them and ask of them.

    ```python
    with AzureIdentity(tmp_path) as identity:
        app = identity.application()
        ...
        assert identity.check(token) == app.client_id
    ```
    """

    tenant_id = TENANT_ID
    user = USER

    def __init__(self, folder: Path) -> None:
        """Start to listen on two free ports.

        Args:
            folder: An existing folder for the certificate of the authority.
        """
        self._offset = 0.0
        ca = PrivateCA(folder)
        certificate = ca.issue("entra", HOST_NAME, "127.0.0.1", "login.microsoftonline.com")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.cert_file, certificate.key_file)
        self.ca = ca
        self._identities = Identities(TENANT_ID, self._now)
        self._entra = Port(self._identities, tls)
        self._plain = Port(self._identities)
        self._identities.authority = self.authority

    def _now(self) -> float:
        return time.time() + self._offset

    @property
    def authority(self) -> str:
        """`https://localhost:port`; its certificate is that of `ca_bundle`."""
        return f"https://{HOST_NAME}:{self._entra.server_address[1]}"

    @property
    def ca_bundle(self) -> str:
        """Path of the certificate to trust, for `REQUESTS_CA_BUNDLE`."""
        return str(self.ca.ca_file)

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port` of the managed identity endpoints."""
        return f"http://127.0.0.1:{self._plain.server_address[1]}"

    @property
    def issued(self) -> list[Issued]:
        """All tokens that were issued, oldest first."""
        return self._identities.directory.issued

    @property
    def requests(self) -> list[str]:
        """Method and path of each request, such as `GET /metadata/identity/oauth2/token`."""
        return self._identities.requests

    def application(self, name: str = "worker") -> Application:
        """An application with a client secret; it is made if there is none.

        Args:
            name: Of the application.
        """
        return self._identities.directory.application(name)

    def certificate(self, application: Application) -> str:
        """A certificate with its private key, in PEM format, that the application may log in with."""
        return self._identities.directory.certificate(application)

    def workload_token(self, application: Application, lifetime_seconds: float = 3600) -> str:
        """What a workload shows for itself to become the application; a pod has it in a file.

        Args:
            application: Who it may become.
            lifetime_seconds: How long it is good; a negative number makes one that has expired.
        """
        directory = self._identities.directory
        return directory.workload_token(application, self._identities.workload_issuer, lifetime_seconds)

    def user_assigned(self, name: str = "attached") -> str:
        """Client ID of a user-assigned managed identity, which the machine has from now on."""
        return self._identities.directory.user_assigned(name)

    @property
    def system_assigned(self) -> str:
        """Client ID of the machine's own managed identity."""
        return self._identities.directory.system_assigned

    def trust_environment(self) -> dict[str, str]:
        """Environment variables that make clients find and trust this Entra ID."""
        return {"AZURE_AUTHORITY_HOST": self.authority, "REQUESTS_CA_BUNDLE": self.ca_bundle}

    def machine_environment(self) -> dict[str, str]:
        """Environment variables that make clients find the managed identity of a virtual machine."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.endpoint}

    def app_service_environment(self) -> dict[str, str]:
        """Environment variables that App Service and Container Apps set."""
        return {"IDENTITY_ENDPOINT": f"{self.endpoint}/msi/token", "IDENTITY_HEADER": self._identities.header}

    def write_az(self, folder: Path) -> str:
        """Write an `az` that is logged in as `user`.

        Args:
            folder: Where to.

        Returns:
            A `PATH` with the folder in front.
        """
        script = folder / "az"
        script.write_text(_AZ.format(python=sys.executable, endpoint=self.endpoint), encoding="utf-8")
        script.chmod(0o755)
        return f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"

    def log_out(self) -> None:
        """Log out of the `az` of `write_az`."""
        self._identities.is_logged_in = False

    def detach_identity(self) -> None:
        """Take the machine's own managed identity away."""
        self._identities.has_identity = False

    def check(self, token: str, audience: str | None = None) -> str | None:
        """Give whom a good token is for, `None` for any other.

        Args:
            token: What came after `Bearer`.
            audience: What it must be good for, such as `https://management.azure.com`; anything when not given.

        Returns:
            The client ID of an application or a managed identity, or the name of a user.
        """
        issued = self._identities.directory.find(token)
        return issued.principal if issued and (audience is None or issued.audience == audience.rstrip("/")) else None

    def expire_all(self) -> None:
        """Let no token be good that was issued so far."""
        self._identities.directory.expire_all()

    def fail(self, times: int = 1, status: int = 503, **headers: Any) -> None:
        """Answer the next requests with an error.

        Args:
            times: How many.
            status: HTTP status.
            **headers: Of the answers; `_` stands for `-`.
        """
        named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self._identities.failures += [(status, named)] * times

    def issue_for(self, lifetime_seconds: float) -> None:
        """Set how long tokens are good from now on."""
        self._identities.lifetime_seconds = lifetime_seconds

    def shift_clock(self, seconds: float) -> None:
        """Set the server's clock forward, or back if negative."""
        self._offset += seconds

    @contextmanager
    def hold(self) -> Generator[None, None, None]:
        """Let requests wait for an answer until the block is left."""
        self._identities.gate.clear()
        try:
            yield
        finally:
            self._identities.gate.set()

    def reset(self) -> None:
        """Forget applications, tokens, failures, requests and the time."""
        self._offset = 0.0
        self._identities.reset()

    def stop(self) -> None:
        """Stop to listen."""
        self._entra.stop()
        self._plain.stop()


@pytest.fixture(scope="session")
def azure_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureIdentity]:
    """Microsoft Entra ID and managed identities; a test that changes them begins with `reset()`."""
    with AzureIdentity(tmp_path_factory.mktemp("entra")) as identity:
        yield identity
