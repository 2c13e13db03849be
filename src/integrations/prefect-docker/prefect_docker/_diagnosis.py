"""Why an engine cannot be reached, and what to do about it."""

from __future__ import annotations

import getpass
import os

from ._endpoints import DEFAULT_SOCKET, Endpoint, other_sockets
from .errors import (
    DockerError,
    DockerInvalidRequest,
    DockerUnavailable,
    chain,
    classify,
    is_sdk_error,
    root_of,
    translate,
)

# What is wrong, found in the text of the errors on the way down to the socket, and what to do about it.
_CAUSES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("http request to an https server", "malformed http message", "\\x15\\x03"),
        "it speaks TLS and was spoken to without",
        "Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or client_kwargs['tls'] of the Docker host block.",
    ),
    (
        ("wrong version number", "record layer failure", "http/0.9", "packet length too long", "unknown protocol"),
        "it was spoken to with TLS and does not speak it",
        "Unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH or client_kwargs['tls'], or use its TLS port, usually 2376.",
    ),
    (
        ("hostname mismatch", "doesn't match", "ip address mismatch"),
        "its certificate is for another host name",
        "Use the name that the certificate has, or make one for this address.",
    ),
    (
        ("certificate verify failed", "self-signed", "self signed"),
        "its certificate is not signed by the authority that this client trusts",
        "Point DOCKER_CERT_PATH at the folder with the engine's ca.pem, or correct ca_cert in client_kwargs['tls'].",
    ),
    (
        ("certificate required", "bad certificate", "handshake failure", "unknown ca", "certificate unknown"),
        "it does not accept this client's certificate",
        "Give cert.pem and key.pem that the engine's authority signed, by DOCKER_CERT_PATH or client_kwargs['tls'].",
    ),
    (
        ("name or service not known", "name resolution", "nodename nor servname", "getaddrinfo"),
        "its host name is not known",
        "Correct the host name.",
    ),
)


def explain(exc: Exception, endpoint: Endpoint) -> DockerError | None:
    """Say in one message which engine did not answer, why, and what to do; `None` for what is no failure to connect.

    Args:
        exc: What the SDK raised.
        endpoint: The engine.
    """
    if not (is_sdk_error(exc) or isinstance(exc, OSError | ValueError) or _is_ssh(exc)):
        return None
    reason, remedy = _diagnose(exc, endpoint)
    cls: type[DockerError] = DockerUnavailable
    if not reason:  # no failure of the connection: a bad address, a version that the engine does not speak
        reason, remedy = str(exc).rstrip("."), _remedy_for_settings(str(exc))
        cls = DockerInvalidRequest if remedy else classify(exc)
    message = f"{endpoint}: {reason}. {remedy}".rstrip()
    if is_sdk_error(exc):
        return translate(exc, str(endpoint), as_class=cls, message=message)
    return cls(message, subject=str(endpoint), reason=str(exc))


def _is_ssh(exc: BaseException) -> bool:
    return type(exc).__module__.startswith("paramiko")


def _diagnose(exc: Exception, endpoint: Endpoint) -> tuple[str, str]:
    """What happened and what to do; empty when the connection did not fail."""
    root = root_of(exc)
    text = " ".join(f"{error}" for error in chain(exc)).lower()
    for words, reason, remedy in _CAUSES:
        if any(word in text for word in words):
            return reason, remedy
    start = _start_hint(endpoint)
    if isinstance(root, FileNotFoundError):
        return "there is no such socket", start
    if isinstance(root, PermissionError):
        return (
            f"user {_user()} may not use the socket",
            "Add the user to the group 'docker' (usermod -aG docker USER) and log in again, or use rootless Docker."
            + _others(endpoint),
        )
    if isinstance(root, ConnectionRefusedError):
        return "nothing listens there", start
    if isinstance(root, TimeoutError) or "timed out" in text or "timeout" in text:
        return "it did not answer in time", "Check the address, and firewalls on the way; see whether the engine hangs."
    if isinstance(root, OSError) and root is not exc:
        said = root.strerror or str(root) or type(root).__name__
        return f"the connection failed: {said}", _remedy_for_connection(endpoint)
    if _is_ssh(exc) or endpoint.base_url.startswith("ssh://"):
        return f"the SSH connection failed: {exc}", "Check that 'ssh' reaches the host with the same user and key."
    if "connection" in text or "max retries" in text:
        return "the connection failed", start
    return "", ""


def _remedy_for_connection(endpoint: Endpoint) -> str:
    if endpoint.tls is not None:  # with TLS 1.3 a client learns only afterwards that it was refused
        return (
            "Check the network, and that the engine accepts this client's certificate: cert.pem and key.pem must be "
            "signed by its authority."
        )
    if endpoint.base_url.startswith(("tcp://", "http://")):
        return (
            "Check the address and the network. If the engine speaks TLS, set DOCKER_TLS_VERIFY=1 and "
            "DOCKER_CERT_PATH, or client_kwargs['tls'] of the Docker host block."
        )
    return f"Check the address and that the engine runs.{_others(endpoint)}"


def _remedy_for_settings(text: str) -> str:
    lowered = text.lower()
    if "client version" in lowered or "api version" in lowered:
        return "Set `version` of the Docker host block, or DOCKER_API_VERSION, to a version that both know, or to auto."
    if any(word in lowered for word in ("bind address", "protocol", "port", "invalid")):
        return "Write unix:///path/to/docker.sock, tcp://host:port or ssh://user@host."
    return ""


def _start_hint(endpoint: Endpoint) -> str:
    others = _others(endpoint)
    if others:
        return others.strip()
    if endpoint.base_url.startswith(("unix://", "npipe://")) or endpoint.base_url == DEFAULT_SOCKET:
        return (
            "Start Docker, or set DOCKER_HOST or a Docker context if the engine listens elsewhere, as rootless Docker, "
            "Podman and Colima do."
        )
    return "Check the address and that the engine listens there."


def _others(endpoint: Endpoint) -> str:
    found = other_sockets(endpoint.base_url)
    if not found:
        return ""
    names = " or ".join(f"DOCKER_HOST={url} ({name})" for name, url in found)
    return f" There is another engine's socket here: set {names}, or base_url of the Docker host block."


def _user() -> str:
    try:
        return repr(getpass.getuser())
    except (KeyError, OSError):
        return str(os.getuid())
