"""Vaults, secrets and versions, as users write them and as Key Vault wants them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from prefect_azure._endpoints import CLOUDS, check_url
from prefect_azure.errors import AzureInvalidRequest

LATEST = "latest"

# https://learn.microsoft.com/en-us/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
_SECRET = re.compile(r"[0-9A-Za-z-]{1,127}")
_VERSION = re.compile(r"[0-9a-fA-F]{32}")
# https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault
_VAULT = re.compile(r"(?!.*--)[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]")
_PATH = re.compile(r"/secrets/([^/]+)(?:/([^/]+))?/?")


def vault_address(given: str | None, cloud: str = "public") -> str:
    """Write the address of a vault.

    Args:
        given: Name of the vault, or its address.
        cloud: The cloud of a vault that is named alone.

    Returns:
        `https://NAME.vault.azure.net`, without a slash at the end.

    Raises:
        AzureInvalidRequest: If it is neither.
    """
    text = (given or "").strip()
    if not text:
        raise AzureInvalidRequest(
            "vault_url is empty. Give the address of the vault, such as https://shop.vault.azure.net, or its name.",
            subject="Key vault",
        )
    if _VAULT.fullmatch(text):
        return f"https://{text}.{CLOUDS[cloud].keyvault_suffix}"
    subject = f"Key vault {text!r}"
    if "://" not in text:
        raise AzureInvalidRequest(
            f"vault_url is {text!r}; a vault has a name of 3 to 24 letters, digits and single hyphens. Give that, or "
            "an address such as https://shop.vault.azure.net.",
            subject=subject,
        )
    try:
        url = check_url(text, f"vault_url {text!r}")
    except ValueError as exc:
        raise AzureInvalidRequest(str(exc), subject=subject) from exc
    if not url.startswith("https://"):
        raise AzureInvalidRequest(
            f"vault_url is {text!r}; it must begin with https://, since tokens and secrets are sent there.",
            subject=subject,
        )
    return url


@dataclass(frozen=True)
class SecretName:
    """One secret, in one vault.

    Attributes:
        given: What the user wrote, for messages.
        vault_url: Address of the vault.
        name: Its name in there.
        version: The version that the user's identifier ends with, if it does.
    """

    given: str
    vault_url: str
    name: str
    version: str | None = None

    @classmethod
    def parse(cls, given: str, vault_url: str | None, cloud: str = "public") -> SecretName:
        """Read a short name, or an identifier such as `https://shop.vault.azure.net/secrets/ledger`.

        Args:
            given: The name. An identifier says its vault itself, and may end with a version.
            vault_url: The vault of a short name: its address or its own name.
            cloud: The cloud of a vault that is named alone.

        Raises:
            AzureInvalidRequest: If it is neither, or the identifier is of another vault.
        """
        subject = f"Secret {given!r}"
        if "://" not in given or not given.isprintable():  # `urlsplit` leaves out line breaks
            if not _SECRET.fullmatch(given):
                raise AzureInvalidRequest(
                    f"secret_name is {given!r}; a name has up to 127 letters, digits and hyphens. Write it alone, or "
                    "give the secret's identifier, https://VAULT.vault.azure.net/secrets/NAME.",
                    subject=subject,
                )
            return cls(given, vault_address(vault_url, cloud), given)
        parts = urlsplit(given)
        found = _PATH.fullmatch(parts.path)
        if found is None or not _SECRET.fullmatch(found[1]) or parts.query or parts.fragment:
            raise AzureInvalidRequest(
                f"secret_name is {given!r}; an identifier has the form https://VAULT.vault.azure.net/secrets/NAME, "
                "with /VERSION at its end or without.",
                subject=subject,
            )
        vault = vault_address(f"{parts.scheme}://{parts.netloc}")
        if vault_url and vault_address(vault_url, cloud).lower() != vault.lower():
            raise AzureInvalidRequest(
                f"secret_name {given!r} is in another vault than vault_url {vault_url!r}. Leave out one of them.",
                subject=subject,
            )
        name = cls(given, vault, found[1])
        return cls(given, vault, found[1], name.checked(found[2]) if found[2] else None)

    @property
    def id(self) -> str:
        """Its identifier, without a version."""
        return f"{self.vault_url}/secrets/{self.name}"

    @property
    def subject(self) -> str:
        """How messages call it."""
        return f"Secret {self.given!r}"

    def version_subject(self, version: str | None) -> str:
        """How messages call a version.

        Args:
            version: The version; `None` for the latest.
        """
        return f"Version {version} of secret {self.name!r}" if version else self.subject

    def without_version(self) -> SecretName:
        """Return the same name, which must not end with a version.

        Raises:
            AzureInvalidRequest: If it does: what is meant for one version must not happen to all.
        """
        if self.version is not None:
            raise AzureInvalidRequest(
                f"{self.subject} names a version, and this is about the whole secret. Leave out /{self.version}.",
                subject=self.subject,
            )
        return self

    def chosen(self, version: str | None) -> str | None:
        """Say which version to read.

        Args:
            version: A version, or `latest`; `None` leaves it to the name.

        Returns:
            The version; `None` for the latest.

        Raises:
            AzureInvalidRequest: If it is none, or differs from that of the name.
        """
        if version is None or version == LATEST:
            return self.version
        checked = self.checked(version)
        if self.version is not None and self.version != checked:
            raise AzureInvalidRequest(
                f"{self.subject}: the version is {version}, and the identifier says {self.version}. Give one of them.",
                subject=self.subject,
            )
        return checked

    def checked(self, version: object) -> str:
        """Refuse what cannot be a version.

        Args:
            version: Which one; `latest` is none here.

        Raises:
            AzureInvalidRequest: If it is no version.
        """
        if isinstance(version, str) and _VERSION.fullmatch(version):
            return version.lower()
        raise AzureInvalidRequest(
            f"{self.subject}: the version is {version!r}; a version has 32 hexadecimal digits. list_versions tells "
            "which there are.",
            subject=self.subject,
        )
