"""Bare repositories that tests fill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": os.devnull,
    "LC_ALL": "C",
}
_SETTINGS = {
    "http.receivepack": "true",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "gc.auto": "0",
}


class Link(str):
    """A symbolic link, in place of a file's content: where it points to."""

    __slots__ = ()


class Executable(bytes):
    """The content of a file that may be executed."""

    __slots__ = ()


class Submodule(str):
    """A submodule, in place of a file's content: the full name of its commit."""

    __slots__ = ()


Content = bytes | Link | Executable | Submodule


def run_git(*arguments: str, folder: Path | None = None, content: bytes | None = None) -> str:
    """Run git without the configuration of whoever runs the tests.

    Raises:
        RuntimeError: If it fails; the message holds what it said.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ENV
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=content, env=env, capture_output=True, check=False, timeout=60
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout.decode("utf-8", "surrogateescape").strip()


class BareRepository:
    """A repository without a working copy."""

    def __init__(self, path: Path, branch: str = "main") -> None:
        """Make it, empty.

        Args:
            path: Its folder, which does not exist yet.
            branch: The default branch.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        run_git("init", "--quiet", "--bare", f"--initial-branch={branch}", "--template=", "--", str(path))
        with (path / "config").open("a", encoding="utf-8") as config:
            for name, value in _SETTINGS.items():
                section, variable = name.split(".")
                config.write(f"[{section}]\n\t{variable} = {value}\n")
        self._branch = branch

    def commit(
        self, files: Mapping[str, Content | None], *, branch: str | None = None, message: str = "A change"
    ) -> str:
        """Add a commit to a branch, which is made if need be from the default branch.

        Args:
            files: Path and content of what changes; `None` removes it.
            branch: Name of the branch; the default branch if not given.
            message: What the commit says.

        Returns:
            The full name of the commit.
        """
        reference = f"refs/heads/{branch or self._branch}"
        parent = self.resolve(reference) or self.resolve(f"refs/heads/{self._branch}")
        stream = [f"commit {reference}\n", "committer Tester <tester@example.com> 1700000000 +0000\n", _data(message)]
        if parent:
            stream.append(f"from {parent}\n")
        parts: list[bytes] = [part.encode() for part in stream]
        parts += [_change(path, content) for path, content in files.items()]
        run_git("fast-import", "--quiet", "--force", folder=self.path, content=b"".join(parts) + b"\ndone\n")
        commit = self.resolve(reference)
        if not commit:
            raise RuntimeError(f"{reference} was not made.")
        return commit

    def resolve(self, reference: str) -> str:
        """Find the commit of a reference; an empty text if there is none."""
        try:
            return run_git("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}", folder=self.path)
        except RuntimeError:
            return ""

    def set_reference(self, name: str, commit: str) -> None:
        """Make or move any reference.

        Args:
            name: Full name, such as `refs/tags/v1` or `refs/pull/1/head`.
            commit: Full name of the commit.
        """
        run_git("update-ref", name, commit, folder=self.path)

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        """Tag a commit.

        Args:
            name: Name of the tag.
            commit: Full name of the commit.
            annotated: Whether the tag is an object of its own.
        """
        if not annotated:
            self.set_reference(f"refs/tags/{name}", commit)
            return
        who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
        run_git(*who, "tag", "--annotate", "--message=A tag", name, commit, folder=self.path)

    def configure(self, name: str, value: str) -> None:
        """Set something in the repository's configuration."""
        run_git("config", name, value, folder=self.path)


def _data(text: str | bytes) -> str:
    return f"data {len(text.encode() if isinstance(text, str) else text)}\n{text if isinstance(text, str) else ''}\n"


def _change(path: str, content: Content | None) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if content is None:
        return f"D {quoted}\n".encode()
    if isinstance(content, Submodule):
        return f"M 160000 {content} {quoted}\n".encode()
    mode = "120000" if isinstance(content, Link) else "100755" if isinstance(content, Executable) else "100644"
    data = content.encode() if isinstance(content, str) else bytes(content)
    return f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data + b"\n"
