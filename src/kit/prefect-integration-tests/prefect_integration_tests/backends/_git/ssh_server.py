"""Serve repositories over SSH: a real `sshd` for one user, one key, on a loopback port."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from ..processes import HOST, LocalServer, ServerError, accepts_connections, free_port


def find_sshd() -> str | None:
    """Find the program; it must be called by its full path."""
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


class GitSshServer:
    """A server that lets one key in, for git only.

    Attributes:
        private_key: The key that is let in.
        known_hosts: What to know about the server.
    """

    def __init__(self, folder: Path) -> None:
        """Make keys and a configuration.

        Args:
            folder: An empty folder.
        """
        program = find_sshd()
        if program is None:
            raise ServerError("The program 'sshd' is missing. Install it: apt-get install openssh-server")
        self.port = free_port()
        self._folder = folder
        for name in ("host", "user", "stranger"):
            _make_key(folder / name)
        self.private_key = (folder / "user").read_text()
        self.strangers_key = (folder / "stranger").read_text()
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        self.known_hosts = f"[{HOST}]:{self.port} {host_key}\n"
        (folder / "authorized_keys").write_text(f"restrict {(folder / 'user.pub').read_text()}")
        (folder / "authorized_keys").chmod(0o600)
        (folder / "sshd_config").write_text(
            "\n".join(
                [
                    f"Port {self.port}",
                    f"ListenAddress {HOST}",
                    f"HostKey {folder / 'host'}",
                    f"AuthorizedKeysFile {folder / 'authorized_keys'}",
                    f"PidFile {folder / 'pid'}",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PermitRootLogin yes",
                    "UsePAM no",
                    "StrictModes no",
                    "AllowTcpForwarding no",
                    "SetEnv GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*",
                    "",
                ]
            )
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in
        self._server = LocalServer(
            [program, "-D", "-e", "-f", str(folder / "sshd_config")],
            lambda: accepts_connections(self.port),
            name="sshd",
        )

    def start(self) -> None:
        """Start to listen."""
        self._server.start()

    def stop(self) -> None:
        """Stop to listen."""
        self._server.stop()

    def url(self, path: Path) -> str:
        """The address of a repository.

        Args:
            path: Its folder.
        """
        return f"ssh://{getpass.getuser()}@{HOST}:{self.port}{path}"


def _make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
