"""Logins of a person that the Databricks CLI or the Azure CLI keeps, https://docs.databricks.com/dev-tools/auth/oauth-u2m."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from .. import _time
from ..errors import DatabricksCredentialsError
from .requests import MakeClient, ask, read_token
from .sources import Source
from .tokens import RENEW_BEFORE_SECONDS, Token

_SECONDS = 60
_CLIENT_ID = "databricks-cli"
_SMALLEST_CLI_BYTES = 1024 * 1024
_OLD_CLI = b"databricks_cli.cli import"
_SAID_CHARACTERS = 500


@dataclass(frozen=True)
class DatabricksCli(Source):
    """What `databricks auth login` has left: asked of the CLI if it is here, else read from its cache."""

    address: str
    profile: str | None

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask the CLI, or read its cache and renew what has ended."""
        if command := find_cli():
            which = ["--profile", self.profile] if self.profile else ["--host", self.address]
            said = _run([command, "auth", "token", *which], f"`{self._login()}`")
            return _cli_token(said, "databricks auth token", "access_token", ("expiry",))
        return self._from_cache(make_client)

    def _login(self) -> str:
        which = f" --profile {self.profile}" if self.profile else ""
        return f"databricks auth login --host {self.address}{which}"

    def _from_cache(self, make_client: MakeClient) -> Token:
        path = cache_path()
        known = _logins(path)
        name = next((each for each in self.names() if isinstance(known.get(each), dict)), None)
        if name is None:
            raise DatabricksCredentialsError(
                f"Nobody has logged in to {self.address} with the Databricks CLI on this machine: {path} has no token "
                f"for it, and the CLI is not installed. Run `{self._login()}`."
            )
        kept = cast("dict[str, Any]", known[name])
        return _kept_token(kept) or self._renew(make_client, path, name, kept)

    def _renew(self, make_client: MakeClient, path: Path, name: str, kept: dict[str, Any]) -> Token:
        refresh = kept.get("refresh_token")
        if not isinstance(refresh, str) or not refresh:
            raise DatabricksCredentialsError(f"The login to {self.address} has ended. Run `{self._login()}`.")
        subject, url = f"The login to {self.address} could not be renewed", f"{self.address}/oidc/v1/token"
        try:
            body = ask(
                make_client,
                subject,
                "POST",
                url,
                secrets=[refresh],
                remedy=f"It may have ended. Run `{self._login()}`.",
                data={"grant_type": "refresh_token", "client_id": _CLIENT_ID, "refresh_token": refresh},
            )
        except DatabricksCredentialsError:
            # A refresh token is good for one use, and another process may have used it.
            token = _kept_token(_logins(path).get(name))
            if token is not None and token.value != kept.get("access_token"):
                return token
            raise
        token = read_token(body, subject, url)
        renewed = {**kept, "access_token": token.value, "token_type": body.get("token_type") or "Bearer"}
        renewed["refresh_token"] = (
            body.get("refresh_token") or refresh
        )  # used once: without the new one, the login ends
        if token.ends_at is not None:
            renewed["expiry"] = datetime.fromtimestamp(token.ends_at, timezone.utc).isoformat()
        _write_cache(path, name, renewed)
        return token

    def names(self) -> list[str]:
        """Give the names that a login may be kept under: the profile's, or the host's in the forms of several CLIs."""
        host = self.address.partition("://")[2]
        return [*([self.profile] if self.profile else []), self.address, f"{self.address}/", host]


@dataclass(frozen=True)
class AzureCli(Source):
    """Who has logged in with `az login`."""

    resource: str
    tenant_id: str | None

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask the CLI."""
        command = shutil.which("az")
        if command is None:
            raise DatabricksCredentialsError("The Azure CLI is not installed. Install it and run `az login`.")
        tenant = ["--tenant", self.tenant_id] if self.tenant_id else []
        asked = [command, "account", "get-access-token", "--resource", self.resource, "--output", "json", *tenant]
        said = _run(asked, "`az login`")
        return _cli_token(said, "az account get-access-token", "accessToken", ("expires_on", "expiresOn"))


def find_cli() -> str | None:
    """Find the Databricks CLI, by `DATABRICKS_CLI_PATH` or in `PATH`; the old one, made in Python, has no logins."""
    if given := os.environ.get("DATABRICKS_CLI_PATH"):
        return shutil.which(given)
    for folder in os.get_exec_path():
        found = shutil.which("databricks", path=folder)
        if found is not None and not _is_old(Path(found)):
            return found
    return None


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_size < _SMALLEST_CLI_BYTES and _OLD_CLI in path.read_bytes()
    except OSError:
        return True


def cache_path() -> Path:
    """Say where the CLI keeps its logins."""
    return Path.home() / ".databricks" / "token-cache.json"


def has_login(address: str, profile: str | None) -> bool:
    """Say whether the CLI may have a login to a workspace: it is installed, or has one in its cache."""
    if find_cli():
        return True
    try:
        tokens = _logins(cache_path())
    except DatabricksCredentialsError:
        return False
    names = DatabricksCli(address, profile).names()
    return any(name in tokens for name in names)


def _run(command: list[str], login: str) -> dict[str, Any]:
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise DatabricksCredentialsError(
            f"{name} could not be run ({type(exc).__name__}). Check that it works."
        ) from exc
    if done.returncode:
        said = " ".join(done.stderr.split())[:_SAID_CHARACTERS].rstrip(". ")
        raise DatabricksCredentialsError(
            f"{name} has no token (exit status {done.returncode}{f': {said}' if said else ''}). Run {login}."
        )
    try:
        body = json.loads(done.stdout)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise DatabricksCredentialsError(f"{name} did not print JSON. Update it, and run {login}.")
    return cast("dict[str, Any]", body)


def _cli_token(said: dict[str, Any], command: str, name: str, ends: tuple[str, ...]) -> Token:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise DatabricksCredentialsError(f"`{command}` printed no `{name}`. Update the CLI.")
    moments = (_moment(said.get(end)) for end in ends)
    return Token(value, next((moment for moment in moments if moment is not None), None))


def _moment(value: Any) -> float | None:
    """Read a moment: seconds since the epoch, or ISO 8601; `az` prints that of this machine, without a zone."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or not value:
        return None
    if value.isdecimal():
        return float(value)
    text = value.replace("Z", "+00:00")
    head, dot, rest = text.partition(".")
    if dot:  # Go writes nanoseconds, of which Python 3.10 reads three or six digits only
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        cache = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise DatabricksCredentialsError(
            f"{path} cannot be read as the logins of the Databricks CLI ({type(exc).__name__}). "
            "Run `databricks auth login`."
        ) from exc
    return cast("dict[str, Any]", cache) if isinstance(cache, dict) else {}


def _logins(path: Path) -> dict[str, Any]:
    tokens = _read_cache(path).get("tokens")
    return cast("dict[str, Any]", tokens) if isinstance(tokens, dict) else {}


def _kept_token(kept: Any) -> Token | None:
    """Read a token in the cache, unless it is about to end."""
    login = cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}
    token = Token(str(login.get("access_token") or ""), _moment(login.get("expiry")))
    is_fresh = token.ends_at is not None and token.ends_at - _time.now() > RENEW_BEFORE_SECONDS
    return token if token.value and is_fresh else None


def _write_cache(path: Path, name: str, token: dict[str, Any]) -> None:
    """Put one login back, as it is by now for the others, in a file that is complete or the old one."""
    cache = _read_cache(path)
    cache["tokens"] = {**_logins(path), name: token}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(cache, file, indent=2)
    part.replace(path)
