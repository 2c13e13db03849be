"""Tokens of a GitHub App's installation: made with the App's key, kept, and renewed five minutes before they end.

They are kept for the process: equal credentials share one, and however many threads and coroutines ask at a time, one
of them makes it.

How GitHub wants it: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prefect_integration_kit.git_hosts import warn_of_exposure
from prefect_integration_kit.kept import fingerprint

from ._answers import Answer, answer_of, from_status, refuse_limits, said_in, sent_at
from ._hosts import server_of
from ._http import client_options, network_errors, repeat
from .errors import GitHubAccessDenied, GitHubAuthenticationFailed, GitHubCredentialsError, GitHubError, GitHubNotFound

if TYPE_CHECKING:
    import httpx

    from .credentials import GitHubAppCredentials

RENEW_SECONDS = 300.0
"""How long before its end a token is replaced: one that was handed out must last for a clone or a request."""

# At most ten minutes from GitHub's clock, which may go before or behind ours:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
_BACK_SECONDS, _AHEAD_SECONDS = 60, 540
_API_VERSION = "2022-11-28"
_MAX_KEPT = 64
_KEY = re.compile(r"-----BEGIN ((?:RSA |)PRIVATE KEY)-----(.+?)-----END \1-----", re.DOTALL)


@dataclass
class _Kept:
    token: str = field(repr=False)
    renew_at: float


_lock = threading.Lock()
_kept: dict[bytes, _Kept] = {}
_turns: dict[bytes, threading.Lock] = {}


def clean_key(text: str) -> str:
    """Write a private key in PEM form as one is written, also if it came on one line, as environment variables do.

    Args:
        text: The key, with line breaks, with a backslash and an `n` for them, or with spaces.

    Raises:
        ValueError: If it is no private key in PEM form. The message does not repeat it.
    """
    found = _KEY.search(text.strip().replace("\\r", "").replace("\\n", "\n"))
    if found is None:
        raise ValueError(
            "private_key is no private key in PEM form. Give the text of the .pem file that GitHub made for the App, "
            "from -----BEGIN to the end."
        )
    body = "".join(found[2].split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])


def kept_token(app: GitHubAppCredentials) -> str:
    """Find the token that was made last, if it lasts; empty otherwise."""
    with _lock:
        kept = _kept.get(_key(app))
    return kept.token if kept is not None and time.time() < kept.renew_at else ""


def installation_token(app: GitHubAppCredentials) -> str:
    """Find a token that lasts for five minutes at least, and make one if need be.

    Raises:
        GitHubError: If GitHub does not make one.
    """
    key = _key(app)
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    with turn:
        if token := kept_token(app):
            return token
        made = _make(app)
        with _lock:
            _kept.pop(key, None)
            _kept[key] = made
            while len(_kept) > _MAX_KEPT:
                oldest = next(iter(_kept))
                _kept.pop(oldest)
                _turns.pop(oldest, None)
        return made.token


def forget(app: GitHubAppCredentials, token: str) -> None:
    """Forget a token that is not accepted any more, unless there is another already."""
    key = _key(app)
    with _lock:
        if key in _kept and _kept[key].token == token:
            del _kept[key]


def _key(app: GitHubAppCredentials) -> bytes:
    return fingerprint(
        app.app_id, app.private_key, app.installation_id, app.owner, app.base_url, app.repositories, app.permissions
    )


def _make(app: GitHubAppCredentials) -> _Kept:
    import httpx

    warn_of_exposure(app.logger, server_of(app.base_url).rest, verify=app.verify)
    with httpx.Client(**client_options(app)) as client:
        asks = _Asks(app, client)
        path = f"/app/installations/{app.installation_id or asks.find_installation()}/access_tokens"
        answer = asks.send("POST", path, _narrowed(app))
    body: Any = answer.body
    try:
        token, ends = str(body["token"]), str(body["expires_at"])
        lasts = datetime.fromisoformat(ends.replace("Z", "+00:00")).timestamp() - sent_at(answer)
    except (KeyError, TypeError, ValueError) as exc:
        raise GitHubError(
            f"{asks.subject}: the answer has no token. Check that `base_url` is the address of a GitHub.",
            subject=asks.subject,
            http_status=answer.status,
        ) from exc
    return _Kept(token, time.time() + lasts - RENEW_SECONDS)


def _narrowed(app: GitHubAppCredentials) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if app.repositories:
        body["repositories"] = [name.rpartition("/")[2] for name in app.repositories]
    if app.permissions:
        body["permissions"] = app.permissions
    return body


class _Asks:
    """Asks the REST API as the App itself, by a text that the App's key has signed."""

    def __init__(self, app: GitHubAppCredentials, client: httpx.Client) -> None:
        self._app = app
        self._client = client
        self._rest = server_of(app.base_url).rest
        self._clock_error = 0.0
        self.subject = f"GitHub App {app.app_id} at {server_of(app.base_url).host}"

    def find_installation(self) -> int:
        """Find the installation at the owner, or for the repository.

        Raises:
            GitHubNotFound: If the App is not installed there.
        """
        owner = self._app.owner or ""
        names = [quote(name, safe="") for name in owner.strip("/ ").split("/")]
        if len(names) > 1:
            paths = [f"/repos/{names[0]}/{names[1]}/installation"]
        else:
            paths = [f"/orgs/{names[0]}/installation", f"/users/{names[0]}/installation"]
        for path in paths:
            try:
                body: Any = self.send("GET", path).body
            except GitHubNotFound:
                continue
            return int(body["id"])
        raise GitHubNotFound(
            f"{self.subject} is not installed at {owner!r}. Check `owner` (an organization, a user, or owner/name of a "
            "repository), and install the App there.",
            subject=self.subject,
            http_status=404,
        )

    def send(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Ask, and again while it fails for a moment. A token too many does no harm."""
        answer = repeat(lambda: self._attempt(verb, path, body), self._app)
        if answer.status == 401 and abs(sent_at(answer) - time.time()) > _BACK_SECONDS / 2:
            self._clock_error = sent_at(answer) - time.time()  # ours is wrong, and so were the times that we signed
            answer = repeat(lambda: self._attempt(verb, path, body), self._app)
        if answer.status < 300:
            return answer
        raise self._refusal(answer, path)

    def _attempt(self, verb: str, path: str, body: dict[str, Any] | None) -> Answer:
        signed = self._sign()
        headers = {
            "Authorization": f"Bearer {signed}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _API_VERSION,
        }
        with network_errors(self.subject, [signed], changes=False):
            response = self._client.request(
                verb, f"{self._rest}{path}", headers=headers, json=body, follow_redirects=verb == "GET"
            )
        answer = answer_of(response)
        refuse_limits(answer, self.subject)
        if answer.status >= 500 or answer.status == 408:
            raise from_status(answer, self.subject)
        return answer

    def _sign(self) -> str:
        import jwt

        now = int(time.time() + self._clock_error)
        claims = {"iat": now - _BACK_SECONDS, "exp": now + _AHEAD_SECONDS, "iss": self._app.app_id}
        try:
            return jwt.encode(claims, self._app.private_key.get_secret_value(), algorithm="RS256")
        except (jwt.exceptions.PyJWTError, ValueError, TypeError) as exc:
            raise GitHubCredentialsError(
                f"{self.subject}: private_key cannot be read. Give the text of the .pem file that GitHub made for the "
                "App, as a whole; GitHub's are RSA keys without a passphrase.",
                subject=self.subject,
            ) from exc

    def _refusal(self, answer: Answer, path: str) -> GitHubError:
        said = said_in(answer)
        if answer.status == 401:
            remedy = "Check `app_id`, that `private_key` is one of this App's, and `base_url`."
            return GitHubAuthenticationFailed(
                f"{self.subject}: GitHub does not accept the key ({said or 401}). {remedy}",
                subject=self.subject,
                http_status=401,
                request_id=answer.request_id,
            )
        if answer.status == 403 and "suspend" in said.lower():
            return GitHubAccessDenied(
                f"{self.subject}: {said}. An owner of the organization must end the suspension.",
                subject=self.subject,
                http_status=403,
                request_id=answer.request_id,
            )
        remedy = ""
        if answer.status == 404 and path.endswith("/access_tokens"):
            remedy = "The App has no such installation. Check `installation_id`, or give `owner` in place of it."
        if answer.status == 422:
            remedy = "Ask for `repositories` and `permissions` that the installation has."
        return from_status(answer, self.subject, remedy=remedy)
