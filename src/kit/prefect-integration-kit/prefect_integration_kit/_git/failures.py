"""What git's exit 128 means: from what it says on standard error to the cause and the remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import (
    GitAccessDenied,
    GitAuthenticationFailed,
    GitCertificateError,
    GitDestinationConflict,
    GitDiskFull,
    GitError,
    GitNotInstalled,
    GitReferenceNotFound,
    GitRepositoryMoved,
    GitRepositoryNotFound,
    GitUnavailable,
)

_QUESTION = r"could not read (?:Username|Password) for|terminal prompts disabled"
_SHOWN_LINES = 3
_SHOWN_LENGTH = 400


@dataclass(frozen=True)
class Meaning:
    """What a failure is.

    Attributes:
        error: The class to raise.
        cause: What is wrong, as a sentence.
        remedy: What to do, as a sentence.
    """

    error: type[GitError]
    cause: str
    remedy: str


def _rows(*rows: tuple[str, Meaning]) -> Sequence[tuple[re.Pattern[str], Meaning]]:
    return [(re.compile(pattern, re.IGNORECASE), meaning) for pattern, meaning in rows]


DISK_FULL = Meaning(
    GitDiskFull, "The disk is full.", "Free some space, or pull less: a git_depth of 1, some directories."
)
CANNOT_WRITE = Meaning(
    GitError,
    "A file or folder cannot be written.",
    "Check that the destination is writable by this user, and takes names such as those of the repository.",
)
UNADVERTISED = Meaning(
    GitReferenceNotFound,
    "The repository hands out no commit of this name.",
    "Check the reference, and that it was pushed.",
)
_REFUSED = Meaning(
    GitAuthenticationFailed,
    "The host does not accept the credentials.",
    "Check that the token is whole, has not expired and belongs to this host.",
)
_NO_CREDENTIALS = Meaning(
    GitAuthenticationFailed,
    "The host asks for credentials, and there are none.",
    "Give some, unless the address is wrong: many hosts ask for credentials to what does not exist.",
)
_ASKS = Meaning(_REFUSED.error, _REFUSED.cause, _REFUSED.remedy)
"""The host asks again, and nobody answers: it has refused what it got, or got nothing."""

# The first row that fits decides: what is certain comes first. A connection that is lost says so in many ways, after
# which git often adds its advice on access rights, hence the order.
_ROWS = _rows(
    (r"No space left on device|Disk quota exceeded|cannot (?:write|create)[^\n]*: disk full", DISK_FULL),
    (
        r"File too large|died of signal 25\b",
        Meaning(
            GitDiskFull,
            "A file is larger than this process may write.",
            "Raise the limit (`ulimit -f`), or pull less: a git_depth of 1, some directories.",
        ),
    ),
    (
        r"git: 'lfs' is not a git command",
        Meaning(GitNotInstalled, "git-lfs is not installed.", "Install it, or set lfs to false."),
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        Meaning(
            GitCertificateError,
            "The SSH host key is not known, or is not the one that is.",
            "Set ssh_known_hosts to the lines of the host that 'ssh-keyscan HOST' prints, once you have checked them.",
        ),
    ),
    (
        (
            r"certificate verification failed|SSL certificate problem|unable to get local issuer certificate"
            r"|self.signed certificate|certificate (?:has expired|subject name)|no alternative certificate subject name"
            r"|x509: certificate|schannel:[^\n]*(?:SEC_E_UNTRUSTED_ROOT|CERT_TRUST)"
        ),
        Meaning(
            GitCertificateError,
            "The certificate of the host is not trusted: it is signed by an authority that is not known here, has "
            "expired, or is for another name.",
            "Set ca_bundle to the certificates of your authority.",
        ),
    ),
    (
        r"error (?:setting certificate|adding trust|reading ca cert) |CURLE_SSL_CACERT_BADFILE",
        Meaning(GitCertificateError, "The file of ca_bundle cannot be read as certificates.", "Give a PEM file."),
    ),
    (
        r"HTTP code 407|returned error: 407|CONNECT tunnel failed, response 407|Proxy Authentication Required",
        Meaning(
            GitAuthenticationFailed,
            "The proxy asks for credentials.",
            "Put user name and password into the address of the proxy.",
        ),
    ),
    (
        r"Permission denied \(|Too many authentication failures|Load key [^\n]*: (?:invalid|error)",
        Meaning(
            GitAuthenticationFailed,
            "The host does not accept the SSH key.",
            "Check that ssh_private_key is the one whose public half the host knows, for this repository.",
        ),
    ),
    (
        (
            r"Authentication failed for|HTTP Basic: Access denied|returned error: 401|Authentication required"
            r"|Authorization error: |TF400813|Bad credentials|Invalid username or (?:password|token)"
        ),
        _REFUSED,
    ),
    (_QUESTION, _ASKS),
    (
        r"returned error: 403|Write access to repository not granted|You are not allowed to download code",
        Meaning(
            GitAccessDenied,
            "The host knows the token, and does not let it read this repository.",
            "Give the token the scope to read code, and its owner access to the repository.",
        ),
    ),
    (r"does not allow request for unadvertised object", UNADVERTISED),
    (
        (
            r"Remote branch [^\n]* not found|couldn't find remote ref|not our ref|unknown revision|bad object|"
            r"did not match any file\(s\) known to git|upload-pack: not our ref"
        ),
        Meaning(
            GitReferenceNotFound,
            "The repository has no such branch, tag or commit.",
            "Check the reference, and that it was pushed.",
        ),
    ),
    (
        (
            r"Repository not found|repository '[^\n]*' not found|returned error: 404|TF401019"
            r"|repository [^\n]* does not exist"
            r"|could not be found or you don't have permission|does not appear to be a git repository"
            r"|not a git repository|ERROR: The project you were looking for could not be found"
        ),
        Meaning(
            GitRepositoryNotFound,
            "There is no such repository, or the credentials may not see it.",
            "Check the address. Hosts answer so for a private repository, too, when the token is missing or may not "
            "read it.",
        ),
    ),
    (
        r"info/refs not valid: is this a git repository",
        Meaning(
            GitRepositoryNotFound,
            "What answers at this address is not a git repository; it may be the host's sign-in page.",
            "Check the address, and that the credentials are accepted.",
        ),
    ),
    (
        r"returned error: 30[12378]",
        Meaning(GitRepositoryMoved, "The server redirects to another address.", "Set the address to the new one."),
    ),
    (
        r"dubious ownership",
        Meaning(
            GitAccessDenied,
            "The local repository belongs to another user, and git does not trust it.",
            "Add it to safe.directory: git config --global --add safe.directory FOLDER.",
        ),
    ),
    (
        r"transport '[^\n]*' not allowed",
        Meaning(
            GitAccessDenied,
            "A submodule has an address of a kind that is not allowed, such as a local path.",
            "Use https:// or ssh:// in .gitmodules.",
        ),
    ),
    (
        r"already exists and is not an empty directory",
        Meaning(GitDestinationConflict, "The destination is not empty.", "Choose another folder, or empty it."),
    ),
    (
        (
            r"unable to (?:write|create) (?:new )?(?:index )?file|could not create (?:work tree dir|leading director)"
            r"|cannot (?:mkdir|create directory)|cannot create (?:directory|file)|unable to write (?:loose )?object"
            r"|invalid path '|File name too long|Read-only file system"
        ),
        CANNOT_WRITE,
    ),
    (
        (
            r"Could not resolve (?:host|proxy)|Failed to connect to|Couldn't connect to|Connection (?:refused"
            r"|reset|timed out|closed)"
            r"|Operation timed out|Operation too slow|Resolving timed out|Temporary failure in name resolution"
            r"|Could not resolve"
            r"|hung up|early EOF|unexpected disconnect|Empty reply from server|Recv failure|Send failure"
            r"|transfer closed with|RPC failed|returned error: (?:408|429|5\d\d)|ssh: connect to host"
            r"|kex_exchange_identification"
            r"|Network is unreachable|No route to host|gnutls_handshake|TLS connection was non-properly terminated"
            r"|SSL_(?:connect|ERROR_SYSCALL|read)|Connection (?:was reset|died)|invalid index-pack output"
            r"|bytes of body are still"
            r"|Timeout, server [^\n]* not responding|HTTP/2 stream|CONNECT tunnel failed"
            r"|response 5\d\d from proxy|i/o timeout"
            r"|Server error|dial tcp|Rate limit exceeded"
        ),
        Meaning(
            GitUnavailable,
            "The host cannot be reached, or is in trouble.",
            "Check the address, the network and the proxy; try again later.",
        ),
    ),
)

_UNKNOWN = Meaning(GitError, "", "")
_TOO_LARGE = 25  # SIGXFSZ


def meaning_of(text: str, code: int = 128) -> Meaning:
    """Find what a failure of git means.

    Args:
        text: What git said on standard error, as it said it.
        code: How the process ended; negative for a signal.
    """
    if code == -_TOO_LARGE:
        text = f"died of signal {_TOO_LARGE}"
    return next((meaning for pattern, meaning in _ROWS if pattern.search(text)), _UNKNOWN)


def as_error(subject: str, code: int, text: str, meaning: Meaning, *, has_credentials: bool = True) -> GitError:
    """Make the error for a failed git process.

    Args:
        subject: What was pulled.
        code: How the process ended; negative for a signal.
        text: What git said on standard error, without secrets.
        meaning: What that means.
        has_credentials: Whether there were any to give to the host.
    """
    if not has_credentials and meaning is _ASKS:
        meaning = _NO_CREDENTIALS
    how = f"it was ended by signal {-code}" if code < 0 else f"exit code {code}"
    said = " | ".join(_telling_lines(text))
    parts = [
        f"{subject} could not be pulled.",
        meaning.cause or ("git failed." if said else f"git failed, {how}."),
        meaning.remedy,
        f"git said ({how}): {said}" if said else "",
    ]
    return meaning.error(" ".join(part for part in parts if part), subject=subject)


def _telling_lines(text: str) -> list[str]:
    """Choose the lines that say something: errors, and what the server says; else the last ones.

    That git could not ask on a terminal is none of them: it says nothing of why it wanted to.
    """
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    lines = [line for line in lines if not re.search(_QUESTION, line, re.IGNORECASE)]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:", "ssh:"))]
    chosen = (telling or lines)[-_SHOWN_LINES:]
    return [line if len(line) <= _SHOWN_LENGTH else f"{line[:_SHOWN_LENGTH]}…" for line in chosen]
