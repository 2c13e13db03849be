"""Who we are: the credentials block, the only module that builds clients."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr

from .settings import AcmeSettings

if TYPE_CHECKING:
    import ssl

    import httpx


@cache
def _ssl_context() -> ssl.SSLContext:
    """Read the certificates once: it takes longer than a request, and every client needs them."""
    import httpx

    return httpx.create_ssl_context()


class AcmeCredentials(CredentialsBlock):
    """Authenticate to Acme with an API token.

    Example:
        Load stored credentials:
        ```python
        from prefect_acme import AcmeCredentials

        credentials = AcmeCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Acme Credentials"
    _logo_url = HttpUrl("https://raw.githubusercontent.com/PrefectHQ/prefect/main/docs/logos/acme.png")
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-acme")

    api_token: SecretStr = Field(description="API token created in the Acme console.")
    url: HttpUrl = Field(
        default=HttpUrl("https://api.acme.example"),
        description="Address that requests are sent to.",
    )

    def get_client(self, **client_options: Any) -> httpx.Client:
        """Open a client; it connects on first use, and the caller closes it.

        Args:
            client_options: Further arguments of `httpx.Client`
                (https://www.python-httpx.org/api/#client).

        Returns:
            A client with the address and the token set.
        """
        import httpx  # heavy: imported when needed

        options: dict[str, Any] = {
            "timeout": AcmeSettings().timeout_seconds,
            "verify": _ssl_context(),
            **client_options,
        }
        headers = {
            **options.pop("headers", {}),
            "Authorization": f"Bearer {self.api_token.get_secret_value()}",
        }
        return httpx.Client(base_url=str(self.url), headers=headers, **options)
