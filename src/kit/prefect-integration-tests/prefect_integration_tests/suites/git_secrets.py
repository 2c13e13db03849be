"""Where credentials must not be: in arguments, environments, files, logs, errors, or at another host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from prefect_integration_tests.backends._git.authorization import basic
from prefect_integration_tests.backends._git.repositories import BareRepository, Submodule
from prefect_integration_tests.faces import Call

from .git_host import TREE, GitHostSuite, configure_user, read_tree, said_by_processes

if TYPE_CHECKING:
    from prefect_integration_tests.backends.git_server import GitServer
    from prefect_integration_tests.leaks import LeakWatch


class GitSecretSuite(GitHostSuite):
    """Checks that credentials stay where they belong."""

    async def test_credentials_are_seen_by_the_host_alone(
        self,
        git_server: GitServer,
        remote: BareRepository,
        call: Call,
        tmp_path: Path,
        canary: str,
        no_canary_leaks: LeakWatch,
    ) -> None:
        """While git waits for the host, no process of this machine has them in its arguments or its environment.

        Afterwards no file has them, and no line of a log.
        """
        git_server.require(self.authorization(canary))
        inner = git_server.repository("inner")
        commit = inner.commit({"inner.py": b"inner"})
        gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {git_server.url(inner)}\n'
        remote.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(commit)})
        seen: list[str] = []
        git_server.on_request.append(lambda _: seen.append(said_by_processes()))
        block = self.block(git_server.url(remote), canary, include_submodules=True)
        await call(block, "get_directory", local_path=str(tmp_path / "code"))
        assert len(seen) >= 4, "Clone and submodule ask the host at least twice each."
        assert all("git-remote-http" in text or "remote-http" in text for text in seen)
        no_canary_leaks.add("a running process", "\n".join(seen))
        no_canary_leaks.add("a file", _text_of(tmp_path))
        no_canary_leaks.add("repr", repr(block))
        no_canary_leaks.check()

    @pytest.mark.parametrize("trouble", ["wrong", "reference", "down", "midway", "submodule"])
    async def test_credentials_are_not_in_errors(
        self,
        trouble: str,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        canary: str,
        no_canary_leaks: LeakWatch,
        monkeypatch: pytest.MonkeyPatch,
        fake_clock: object,
    ) -> None:
        """Nor in their causes, nor in the log of the attempts, with git as talkative as it can be."""
        monkeypatch.setenv("GIT_TRACE", "1")
        monkeypatch.setenv("GIT_TRACE_CURL", "1")
        monkeypatch.setenv("GIT_TRACE_REDACT", "0")
        url, reference, options = git_server.url(remote), None, {}
        if trouble == "wrong":
            git_server.require("Basic other")
        elif trouble == "reference":
            reference = "gone"
        elif trouble == "submodule":
            gitmodules = f'[submodule "x"]\n\tpath = x\n\turl = {git_server.url("gone")}\n'
            remote.commit({".gitmodules": gitmodules.encode(), "x": Submodule("1" * 40)})
            options = {"include_submodules": True}
        else:
            git_server.fail(99, when="midway" if trouble == "midway" else "before")
        block = self.block(url, canary, reference=reference, **options)
        monkeypatch.setattr(block.__class__, "_clock", fake_clock)
        with pytest.raises(OSError, match="could not be pulled") as caught:
            await block.aget_directory(local_path=str(tmp_path / "code"))
        no_canary_leaks.add_error(caught.value)
        no_canary_leaks.check()
        assert git_server.requests[0].authorization == self.authorization(canary)

    @pytest.mark.parametrize(
        "token",
        ["sp ace", "a:b@c/d?e#f", "%41%", "ü€\U0001f600", "\"quo'tes\\", "$(x)`y`;&|", "-x", "=" * 200],
        ids=["space", "url", "percent", "unicode", "quotes", "shell", "dash", "long"],
    )
    async def test_odd_characters_in_a_token_reach_the_host(
        self, token: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """As they are, neither encoded twice nor cut."""
        git_server.require(self.authorization(token))
        await self.block(git_server.url(remote), token).aget_directory(from_path="lib", local_path=str(tmp_path))
        assert read_tree(tmp_path) == {"lib/shared.py": TREE["lib/shared.py"]}

    @pytest.mark.parametrize(
        "part", ["with space", "ü", "a+b%20c", "100%"], ids=["space", "unicode", "plus", "percent"]
    )
    async def test_odd_characters_in_an_address_reach_the_host(
        self, part: str, git_server: GitServer, tmp_path: Path
    ) -> None:
        """Escaped once, whether the user has done it or not."""
        name = part.replace("%20", " ")
        remote = git_server.repository(f"{name}/{self.repository_path}")
        remote.commit({"a": b"a"})
        for written in {part, quote(name)}:
            block = self.block(f"{git_server.endpoint}/{written}/{self.repository_path}")
            await block.aget_directory(local_path=str(tmp_path / quote(written, safe="")))
            assert read_tree(tmp_path / quote(written, safe="")) == {"a": b"a"}

    async def test_credentials_in_an_address_are_used_and_kept_out_of_sight(
        self,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        no_canary_leaks: LeakWatch,
        canary: str,
    ) -> None:
        """`https://user:password@host/…` works, and is not what git sees, nor what is written down."""
        git_server.require(basic("user", canary))
        url = git_server.url(remote).replace("://", f"://user:{quote(canary, safe='')}@")
        await self.block(url).aget_directory(local_path=str(tmp_path / "code"))
        assert read_tree(tmp_path / "code") == TREE
        git_server.require("Basic other")
        with pytest.raises(OSError, match="could not be pulled") as caught:
            await self.block(url).aget_directory(local_path=str(tmp_path / "code"))
        no_canary_leaks.add_error(caught.value)
        no_canary_leaks.add("a file", _text_of(tmp_path))

    def test_a_value_that_is_refused_is_not_said(self, canary: str, no_canary_leaks: LeakWatch) -> None:
        """Nor is a password in an address shown by `repr`."""
        address = f"https://user:{quote(canary, safe='')}@host/org/repo"
        for url, fields in ((f"{address}?x", {}), (address, {"ssh_private_key": canary})):
            with pytest.raises(ValueError, match=r"address|ssh_private_key") as caught:
                self.block(url, **fields)
            no_canary_leaks.add_error(caught.value)
        no_canary_leaks.add("repr", repr(self.block(address)))

    async def test_credentials_do_not_go_to_another_host(
        self, git_server: GitServer, git_tls_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Neither after a redirect nor for a submodule there."""
        other = git_tls_server.repository("other")
        commit = other.commit({"o": b"o"})
        gitmodules = f'[submodule "o"]\n\tpath = o\n\turl = {git_tls_server.url(other)}\n'
        remote.commit({".gitmodules": gitmodules.encode(), "o": Submodule(commit)})
        configure_user("[http]\n\tsslVerify = false\n")
        block = self.block(git_server.url(remote), "token", include_submodules=True)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "o/o").read_bytes() == b"o"
        assert {request.authorization for request in git_server.requests} == {self.authorization("token")}
        assert {request.authorization for request in git_tls_server.requests} == {None}

    async def test_credentials_are_given_to_no_store(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """The user's own credential helper does not get to keep them; without ours, it is asked."""
        store = tmp_path / "store"
        configure_user(f"[credential]\n\thelper = store --file={store}\n")
        git_server.require(self.authorization("token"))
        await self.block(git_server.url(remote), "token").aget_directory(local_path=str(tmp_path / "a"))
        assert not store.exists()
        git_server.require(basic("u", "p"))
        store.write_text(git_server.endpoint.replace("://", "://u:p@") + "\n")
        await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path / "b"))
        assert read_tree(tmp_path / "b") == TREE

    async def test_hooks_and_helpers_of_others_do_not_run(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Nor does a variable that belongs to another repository lead git astray."""
        hooks = tmp_path / "template/hooks"
        hooks.mkdir(parents=True)
        (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
        (hooks / "post-checkout").chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
            patch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
            patch.setenv("GIT_WORK_TREE", str(tmp_path / "elsewhere"))
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path / "code"))
        assert read_tree(tmp_path / "code") == TREE
        assert not (tmp_path / "ran").exists()
        assert not (tmp_path / "elsewhere").exists()


def _text_of(folder: Path) -> str:
    parts: list[str] = []
    for top, _, files in os.walk(folder):
        for name in files:
            path = Path(top) / name
            parts.append(name)
            if not path.is_symlink():
                parts.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(parts)
