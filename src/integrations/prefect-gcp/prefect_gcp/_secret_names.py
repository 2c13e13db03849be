"""Names of secrets and versions, as users write them and as Secret Manager wants them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from prefect_gcp.errors import GcpInvalidRequest

LATEST = "latest"

# https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
# https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_NUMBER = re.compile(r"[1-9][0-9]*")
_PATH = re.compile(r"(projects/[^/\s]+(?:/locations/[^/\s]+)?)/secrets/([^/\s]+)(?:/versions/([^/\s]+))?/?")


@dataclass(frozen=True)
class SecretName:
    """One secret, in one project.

    Attributes:
        given: What the user wrote, for messages.
        parent: `projects/PROJECT`, or `projects/PROJECT/locations/LOCATION` for a regional secret.
        secret_id: Its name in there.
        version: The version that the user's name ends with, if it does.
    """

    given: str
    parent: str
    secret_id: str
    version: str | None = None

    @classmethod
    def parse(cls, given: str, project: Callable[[], str]) -> SecretName:
        """Read a short name, or a full one such as `projects/shop/secrets/ledger-login`.

        Args:
            given: The name. A full one has a project of its own, and may end with `/versions/3`.
            project: Asked for the project of a short name.

        Raises:
            GcpInvalidRequest: If it is neither.
        """
        if full := _PATH.fullmatch(given):
            parent, secret_id, version = full[1], full[2], full[3]
        else:
            parent, secret_id, version = "", given, None
        if not _SECRET_ID.fullmatch(secret_id):
            raise GcpInvalidRequest(
                f"secret_name is {given!r}; a name has up to 255 letters, digits, hyphens and underscores. Write it "
                "alone or as projects/PROJECT/secrets/NAME.",
                subject=f"Secret {given!r}",
            )
        return cls(given, parent or f"projects/{project()}", secret_id, version)

    @property
    def path(self) -> str:
        """The full name, without a version."""
        return f"{self.parent}/secrets/{self.secret_id}"

    @property
    def subject(self) -> str:
        """How messages call it."""
        return f"Secret {self.given!r}"

    def version_subject(self, version: str) -> str:
        """How messages call a version.

        Args:
            version: Its number, `latest` or an alias.
        """
        return self.subject if version == LATEST else f"Version {version} of secret {self.given!r}"

    def version_path(self, version: str) -> str:
        """Return the full name of a version.

        Args:
            version: Its number, `latest` or an alias.
        """
        return f"{self.path}/versions/{version}"

    def without_version(self) -> SecretName:
        """Return the same name, which must not end with a version.

        Raises:
            GcpInvalidRequest: If it does: what is meant for one version must not happen to all.
        """
        if self.version is not None:
            raise GcpInvalidRequest(
                f"{self.subject} names a version, and this is about the whole secret. Leave out "
                f"/versions/{self.version}.",
                subject=self.subject,
            )
        return self

    def chosen(self, version: str | int | None) -> str:
        """Say which version to read.

        Args:
            version: A number, `latest` or an alias; `None` leaves it to the name.

        Raises:
            GcpInvalidRequest: If it is none of these, or differs from that of the name.
        """
        text = LATEST if version is None else _text(version)
        if not _NUMBER.fullmatch(text) and not _ALIAS.fullmatch(text):
            raise GcpInvalidRequest(
                f"{self.subject}: the version is {version!r}. Give a number from 1, 'latest' or an alias.",
                subject=self.subject,
            )
        if self.version is None or self.version == text:
            return text
        if text == LATEST:  # the default, which the name makes more exact
            return self.version
        raise GcpInvalidRequest(
            f"{self.subject}: the version is {text}, and the name says {self.version}. Give one of them.",
            subject=self.subject,
        )

    def numbered(self, version: str | int) -> str:
        """Check the number of a version that is to be changed or destroyed.

        Args:
            version: A number; `latest` could be another version than the caller has seen.

        Raises:
            GcpInvalidRequest: If it is no number, or differs from that of the name.
        """
        text = _text(version)
        if not _NUMBER.fullmatch(text):
            raise GcpInvalidRequest(
                f"{self.subject}: version_id is {version!r}; here it must be the number of a version, from 1. "
                "'latest' can not be used.",
                subject=self.subject,
            )
        return self.chosen(text)


def _text(version: str | int) -> str:
    return "" if isinstance(version, bool) else str(version)
