"""SSH for one pull: a key of our own, known hosts, and never a question."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import shlex
from pathlib import Path

from pydantic import SecretStr

from .errors import GitInvalidRequest

_MAGIC = b"openssh-key-v1\0"

# A host that does not answer, or goes away, is noticed: seconds to connect; three missed signs of life.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=30", "ServerAliveInterval=15", "ServerAliveCountMax=3")


def check_private_key(key: SecretStr) -> SecretStr:
    """Check a private key and give it the line end that ssh asks for.

    Raises:
        GitInvalidRequest: If it is none, or asks for a passphrase.
    """
    text = key.get_secret_value().replace("\r\n", "\n").strip()
    lines = text.split("\n")
    if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in lines[0] or "-----END " not in lines[-1]:
        raise GitInvalidRequest(
            "ssh_private_key is not a private key in PEM or OpenSSH form, from '-----BEGIN …' to '-----END …'. "
            "Give the text of the key file, with its line breaks."
        )
    if _is_encrypted(lines):
        raise GitInvalidRequest(
            "ssh_private_key is protected by a passphrase, which nobody could enter. "
            "Give a key without one, such as a deploy key: ssh-keygen -t ed25519 -N ''."
        )
    return SecretStr(text + "\n")


def _is_encrypted(lines: list[str]) -> bool:
    if "ENCRYPTED" in lines[0] or any(line.startswith("Proc-Type:") and "ENCRYPTED" in line for line in lines):
        return True
    if "OPENSSH" not in lines[0]:
        return False
    try:
        content = base64.b64decode("".join(lines[1:-1]))
    except (binascii.Error, ValueError):
        return False
    # The name of the cipher comes first (https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key).
    return content.startswith(_MAGIC) and not content[len(_MAGIC) + 4 :].startswith(b"none")


def write_private(folder: Path, name: str, content: str) -> Path:
    """Write a file that only its owner can read."""
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with contextlib.closing(os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")) as file:
        file.write(content)
    return path


def ssh_env(folder: Path, private_key: SecretStr | None, known_hosts: str | None) -> dict[str, str]:
    """Write what ssh needs and say how git must call it.

    Args:
        folder: A private folder for the files; ssh takes keys from files only.
        private_key: The key, or `None` to use those that ssh finds.
        known_hosts: Lines of a `known_hosts` file; the host must be in it. `None` leaves it to ssh's own files.

    Returns:
        Variables for the environment of git; none when the user's own configuration is to decide.
    """
    if private_key is None and known_hosts is None:
        return {}
    options = list(_OPTIONS)
    command = ["ssh"]
    if private_key is not None:
        command += ["-i", write_private(folder, "key", private_key.get_secret_value()).as_posix()]
        options += ["IdentitiesOnly=yes", "IdentityAgent=none", "PasswordAuthentication=no"]
    if known_hosts is not None:
        text = known_hosts.replace("\r\n", "\n").strip() + "\n"
        path = write_private(folder, "known_hosts", text).as_posix()
        options += ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={path}", "GlobalKnownHostsFile=none"]
    command += [part for option in options for part in ("-o", option)]
    return {"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"}
