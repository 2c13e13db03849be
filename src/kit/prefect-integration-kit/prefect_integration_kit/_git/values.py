"""Addresses, references and paths: what git is given, checked before it sees them. All of it is pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PureWindowsPath
from urllib.parse import quote, unquote, urlsplit

from prefect_integration_kit.redact import MASK

from .errors import GitInvalidRequest

_SCHEMES = ("https", "http", "ssh", "git", "file")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
# `ext::sh -c …` and other helpers run programs (https://git-scm.com/docs/git-remote-ext).
_HELPER = re.compile(r"^[A-Za-z0-9+.-]*::")
_SCP = re.compile(r"^(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\s@]+):(?P<path>.+)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]+(?:@[^/\s@'\"]+)*@")
# Of one address that is known to be one: a password may have any character in it that ought to be encoded.
_LOOSE_USERINFO = re.compile(r"(?<=://)[^/?#@]*:(?!\d*(?:[/?#]|$)).*@", re.DOTALL)
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"

# https://git-scm.com/docs/git-check-ref-format
_BAD_IN_REFERENCE = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^\.|\.lock(?:/|$)|/$|^/|\.$")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_SHORT_COMMIT = re.compile(r"[0-9a-fA-F]{4,39}")


@dataclass(frozen=True)
class Address:
    """Where a repository is, without who asks.

    Attributes:
        url: What git is given: no user name, no password; what a URL must escape is escaped.
        kind: `http`, `ssh`, `git` or `file`.
        host: Host and port as in the URL; empty for a local path.
        origin: `https://host[:port]/`, which settings of HTTP are limited to; empty for a local path.
        username: User name in the given URL, decoded; empty if there is none. That of SSH stays in `url`.
        password: Password in the given URL, decoded; empty if there is none.
    """

    url: str
    kind: str
    host: str = ""
    origin: str = ""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        name = self.host.rsplit(":", 1)[0] if not self.host.endswith("]") else self.host
        return name in ("localhost", "[::1]") or name.startswith("127.")


def without_userinfo(text: str) -> str:
    """Mask what stands before the `@` of every URL in a text."""
    return _USERINFO.sub(f"{MASK}@", text)


def _shown(address: str) -> str:
    """Write one address for a message: nothing of a password, also where its special characters are not encoded."""
    return repr(without_userinfo(_LOOSE_USERINFO.sub(f"{MASK}@", address)))


def parse_address(url: str) -> Address:
    """Read the address of a repository: a URL, `user@host:path`, or a local path.

    Raises:
        GitInvalidRequest: If it is empty, looks like an option, names a transport that runs programs, or has no host.
    """
    text = url.strip()
    shown = _shown(text)
    if not text:
        raise GitInvalidRequest("The repository's address is empty. Give the one that the host shows for cloning.")
    if text.startswith("-"):
        raise GitInvalidRequest(f"The repository's address {shown} looks like an option of git. Give a URL.")
    if _CONTROL.search(text):
        raise GitInvalidRequest(f"The repository's address {shown} has a line break or control character in it.")
    if _HELPER.match(text):
        raise GitInvalidRequest(
            f"The repository's address {shown} names a transport that runs programs. Use https:// or ssh://."
        )
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _without_scheme(text)
    if scheme[1].lower() not in _SCHEMES:
        raise GitInvalidRequest(
            f"The repository's address {shown} has the scheme {scheme[1]!r}. Use one of {', '.join(_SCHEMES)}."
        )
    return _with_scheme(text, scheme[1].lower(), shown)


def _without_scheme(text: str) -> Address:
    scp = _SCP.match(text)
    is_drive = len(text) > 1 and text[1] == ":" and bool(PureWindowsPath(text).drive) and os.name == "nt"
    if scp is None or is_drive:
        return Address(os.path.expanduser(text), "file")  # noqa: PTH111 - a path that ends in a slash keeps it
    if scp["host"].startswith("-") or (scp["user"] or "").startswith("-"):
        raise GitInvalidRequest(f"The repository's address {text!r} looks like an option of ssh. Give a host.")
    return Address(text, "ssh", scp["host"], f"https://{scp['host'].lower()}/")


def _with_scheme(text: str, scheme: str, shown: str) -> Address:
    if scheme == "file":
        return Address(text, "file")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # its text has parts of the address in it, which may be those of a password
        raise GitInvalidRequest(
            f"The repository's address {shown} cannot be read. Check host and port, and encode special characters of "
            "user and password, such as / as %2F."
        ) from None
    if not host or host.startswith("-") or any(mark in host for mark in " \\%\"'<>"):
        raise GitInvalidRequest(
            f"The repository's address {shown} has no valid host. Give one, as in https://host/path."
        )
    if not parts.path.strip("/"):
        raise GitInvalidRequest(f"The repository's address {shown} names no repository. Add its path.")
    if parts.query or parts.fragment:
        raise GitInvalidRequest(
            f"The repository's address {shown} has a '?' or '#' in it, as those of web pages have. "
            "Give the address that the host shows for cloning."
        )
    netloc = f"[{host}]" if ":" in host else host
    netloc = netloc if port is None else f"{netloc}:{port}"
    path = quote(_LONE_PERCENT.sub("%25", parts.path), safe=_SAFE_IN_PATH)
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme in ("http", "https"):
        return Address(f"{scheme}://{netloc}{path}", "http", netloc, f"{scheme}://{netloc}/", username, password)
    if username.startswith("-"):
        raise GitInvalidRequest(f"The repository's address {shown} has a user that looks like an option of ssh.")
    user = f"{quote(username, safe='')}@" if username else ""
    return Address(f"{scheme}://{user}{netloc}{path}", scheme, netloc, f"https://{netloc.rsplit(':', 1)[0]}/")


def check_reference(reference: str | None) -> str | None:
    """Check a branch, tag, commit or full reference; an empty one means the default branch.

    Raises:
        GitInvalidRequest: If it looks like an option of git or cannot be a reference.
    """
    if reference is None or not (text := reference.strip()):
        return None
    if text.startswith(("-", "+")):
        raise GitInvalidRequest(
            f"Reference {reference!r} begins with {text[0]!r}, which git takes for an option. "
            "Give a branch, a tag or a commit."
        )
    if _BAD_IN_REFERENCE.search(text) or text == "@":
        raise GitInvalidRequest(
            f"Reference {reference!r} cannot be the name of a branch or tag "
            "(https://git-scm.com/docs/git-check-ref-format). Give a branch, a tag, a commit, or a reference such as "
            "refs/pull/1/head."
        )
    return text


def is_commit(reference: str) -> bool:
    """Say whether a reference is the full name of a commit."""
    return _COMMIT.fullmatch(reference) is not None


def may_be_commit(reference: str) -> bool:
    """Say whether a reference may be the abbreviated name of a commit."""
    return _SHORT_COMMIT.fullmatch(reference) is not None


def check_folder(folder: str, field: str) -> str:
    """Check the path of a folder in the repository.

    Args:
        folder: `/`-separated, relative to the root of the repository.
        field: What to call it in the error.

    Returns:
        The path without `.` and superfluous slashes; empty for the root.

    Raises:
        GitInvalidRequest: If it is absolute, climbs, looks like an option, or lies in `.git`.
    """
    names = [name for name in folder.split("/") if name not in ("", ".")]
    is_drive = bool(PureWindowsPath(folder).drive) and os.name == "nt"
    if folder.startswith(("/", "\\")) or is_drive or ".." in re.split(r"[/\\]", folder):
        raise GitInvalidRequest(
            f"{field} {folder!r} leaves the repository. Give a path relative to its root, without '..'."
        )
    if _CONTROL.search(folder):
        raise GitInvalidRequest(f"{field} {folder!r} has a line break or control character in it.")
    if folder.startswith("-"):
        raise GitInvalidRequest(f"{field} {folder!r} looks like an option of git. Write './{folder}' if it is meant.")
    if names and names[0].startswith("\\"):
        raise GitInvalidRequest(f"{field} {folder!r} leaves the repository where '\\' separates folders. Use '/'.")
    if names and re.split(r"[/\\]", names[0])[0].casefold() == ".git":
        raise GitInvalidRequest(f"{field} {folder!r} lies in git's own folder. Name a folder of the repository.")
    return "/".join(names)


def check_directories(directories: Iterable[str] | None) -> tuple[str, ...]:
    """Check the folders of a sparse checkout; none means all of the repository.

    Raises:
        GitInvalidRequest: If one is not a path in the repository.
    """
    if isinstance(directories, str):
        raise GitInvalidRequest(f"directories is the text {directories!r}. Give a list of folders.")
    checked = (check_folder(folder, "directories:") for folder in directories or ())
    return tuple(dict.fromkeys(folder for folder in checked if folder))
