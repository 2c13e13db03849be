"""How a pull fails: with the cause and the remedy, again when that helps, and never without an end."""

from __future__ import annotations

import asyncio
import pickle
import random
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_kit.git import (
    GitAccessDenied,
    GitAuthenticationFailed,
    GitCertificateError,
    GitError,
    GitInvalidRequest,
    GitNotInstalled,
    GitReferenceNotFound,
    GitRepositoryMoved,
    GitRepositoryNotFound,
    GitTimeout,
    GitUnavailable,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.checks import assert_loop_is_free
from prefect_integration_tests.faces import Call

from .git_host import TREE, GitHostSuite, git_processes, read_tree

if TYPE_CHECKING:
    from prefect_integration_tests.backends._git.repositories import BareRepository
    from prefect_integration_tests.backends.certificates import PrivateCA
    from prefect_integration_tests.backends.faults import FaultProxy
    from prefect_integration_tests.backends.git_server import GitServer
    from prefect_integration_tests.clock import FakeClock


class GitFailureSuite(GitHostSuite):
    """Checks how pulls fail, and how they end."""

    @pytest.fixture
    def clock(self, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
        """The clock that waits between attempts are measured by."""
        monkeypatch.setattr(self.block("https://host/org/repo").__class__, "_clock", fake_clock)
        return fake_clock

    # Permanent: at once, by cause and remedy

    async def test_a_wrong_token_is_refused_at_once(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path, clock: FakeClock
    ) -> None:
        """The error says so, and names the repository."""
        git_server.require(self.authorization("right"))
        block = self.block(git_server.url(remote), "wrong")
        with pytest.raises(GitAuthenticationFailed, match="does not accept the credentials") as caught:
            await call(block, "get_directory", local_path=str(tmp_path))
        assert git_server.url(remote) in str(caught.value)
        assert clock.sleeps == []
        assert not list(tmp_path.iterdir())

    async def test_missing_credentials_are_told_from_wrong_ones(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, clock: FakeClock
    ) -> None:
        """Nobody is asked on a terminal."""
        git_server.require(self.authorization("right"))
        with pytest.raises(GitAuthenticationFailed, match="there are none"):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))

    async def test_a_token_without_the_scope_is_told(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, clock: FakeClock
    ) -> None:
        """The host knows the token, and says no."""
        git_server.forbidden.add(self.authorization("weak"))
        with pytest.raises(GitAccessDenied, match="scope"):
            await self.block(git_server.url(remote), "weak").aget_directory(local_path=str(tmp_path))

    async def test_a_missing_repository_is_named(
        self, git_server: GitServer, call: Call, tmp_path: Path, clock: FakeClock
    ) -> None:
        """It is not looked for again."""
        url = git_server.url(f"{self.repository_path}-gone")
        with pytest.raises(GitRepositoryNotFound) as caught:
            await call(self.block(url), "get_directory", local_path=str(tmp_path))
        assert url in str(caught.value)
        assert clock.sleeps == []

    @pytest.mark.parametrize(
        "reference", ["no-such-branch", "refs/heads/gone", "pull/9/head", "0" * 39 + "1", "abcdef0"]
    )
    async def test_a_missing_reference_is_named(
        self, reference: str, git_server: GitServer, remote: BareRepository, tmp_path: Path, clock: FakeClock
    ) -> None:
        """Whatever kind it is of."""
        block = self.block(git_server.url(remote), reference=reference)
        with pytest.raises(GitReferenceNotFound) as caught:
            await block.aget_directory(local_path=str(tmp_path))
        assert reference in str(caught.value)
        assert clock.sleeps == []

    async def test_an_empty_repository_is_an_error(self, git_server: GitServer, tmp_path: Path) -> None:
        """There is no code in it."""
        empty = git_server.repository(f"{self.repository_path}-empty")
        with pytest.raises(GitReferenceNotFound, match="default branch"):
            await self.block(git_server.url(empty)).aget_directory(local_path=str(tmp_path))

    async def test_a_sign_in_page_is_not_taken_for_a_repository(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Some hosts answer so to whom they do not know."""
        git_server.pages.add(f"/{self.repository_path}")
        with pytest.raises(GitRepositoryNotFound, match="sign-in page"):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))

    async def test_an_unknown_certificate_is_told_and_can_be_trusted(
        self, git_tls_server: GitServer, git_authority: PrivateCA, call: Call, tmp_path: Path, clock: FakeClock
    ) -> None:
        """A private authority is trusted by the text or the file of its certificate, and never by itself."""
        remote = git_tls_server.repository(self.repository_path)
        remote.commit(TREE)
        git_tls_server.require(self.authorization("token"))
        url = git_tls_server.url(remote)
        with pytest.raises(GitCertificateError, match="ca_bundle"):
            await call(self.block(url, "token"), "get_directory", local_path=str(tmp_path))
        assert git_tls_server.requests == []
        for number, bundle in enumerate((str(git_authority.ca_file), git_authority.ca_file.read_text())):
            block = self.block(url, "token", ca_bundle=bundle)
            await call(block, "get_directory", local_path=str(tmp_path / str(number)))
            assert read_tree(tmp_path / str(number)) == TREE
        await call(self.block(url, "token", verify=False), "get_directory", local_path=str(tmp_path / "unverified"))
        assert read_tree(tmp_path / "unverified") == TREE
        assert clock.sleeps == []

    async def test_without_git_the_error_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in an image that has none."""
        block = self.block("https://host/org/repo")
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(GitNotInstalled, match="Install git"):
            await block.aget_directory(local_path=str(tmp_path / "code"))

    async def test_a_full_disk_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
        """And what git had written is removed."""
        fake_git(
            tmp_path / "bin",
            'for last; do :; done; mkdir -p "$last"; echo x >"$last/half"; '
            'echo "fatal: write error: No space left on device" >&2; exit 128',
            monkeypatch,
        )
        with pytest.raises(GitError, match="disk is full"):
            await self.block("https://host/org/repo").aget_directory(local_path=str(tmp_path / "code"))
        assert not list((tmp_path / "code").iterdir())
        assert clock.sleeps == []

    async def test_a_disk_that_is_full_in_the_middle_is_told(
        self,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        clock: FakeClock,
    ) -> None:
        """By git itself, which may write no file of that size here; nothing of it stays."""
        remote.commit({"large.bin": random.Random(1).randbytes(1_500_000)})
        fake_git(tmp_path / "bin", f'ulimit -f 500\nexec {shutil.which("git")} "$@"', monkeypatch)
        with pytest.raises(GitError, match="ulimit -f"):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path / "code"))
        assert not list((tmp_path / "code").iterdir())
        assert clock.sleeps == []

    # Options in disguise

    @pytest.mark.parametrize(
        "value", ["--upload-pack=touch x", "-c", "--", "-uevil", "+refs/heads/*:refs/heads/*", "a b", "a:b", "a\nb"]
    )
    def test_a_reference_that_looks_like_an_option_is_refused(self, value: str) -> None:
        """When the block is made; the error names the value."""
        with pytest.raises(ValueError, match="Reference"):
            self.block("https://host/org/repo", reference=value)

    @pytest.mark.parametrize(
        "url",
        [
            "--upload-pack=touch x",
            "-oProxyCommand=x",
            "ext::sh -c touch% x",
            "ssh://-oProxyCommand=x/org/repo",
            "-oProxyCommand=x:org/repo",
            "https://host/org/repo\n--x",
            "ftp://host/org/repo",
            "https:///org/repo",
            "",
        ],
    )
    def test_an_address_that_is_none_is_refused(self, url: str) -> None:
        """One that looks like an option, runs a program or has no host."""
        with pytest.raises(ValueError, match="address"):
            self.block(url)

    @pytest.mark.parametrize("directory", ["--stdin", "-x", "../x", "/etc", "a/../../x"])
    def test_a_directory_that_is_none_is_refused(self, directory: str) -> None:
        """One that looks like an option, or leads outside."""
        with pytest.raises(ValueError, match="directories"):
            self.block("https://host/org/repo", directories=["good", directory])

    async def test_a_value_that_is_set_later_is_checked_all_the_same(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Before git sees it."""
        block = self.block(git_server.url(remote))
        setattr(block, self.reference_field, f"--upload-pack=touch {tmp_path / 'evil'}")
        with pytest.raises(GitInvalidRequest):
            await block.aget_directory(local_path=str(tmp_path / "code"))
        assert not (tmp_path / "evil").exists()

    # Transient: again

    @pytest.mark.parametrize("fault", ["500", "503", "429", "cut", "midway"])
    async def test_trouble_that_passes_is_tried_again(
        self, fault: str, git_server: GitServer, remote: BareRepository, tmp_path: Path, clock: FakeClock
    ) -> None:
        """A busy host, a lost connection, one that is lost in the middle; nothing of the first attempts stays."""
        if fault.isdigit():
            git_server.fail(2, int(fault))
        else:
            git_server.fail(2, when="cut" if fault == "cut" else "midway")
        await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE
        assert len(clock.sleeps) == 2
        assert all(1 <= seconds <= 4 for seconds in clock.sleeps)
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".git")) == [".git"]

    async def test_a_slow_line_is_waited_for(
        self,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        fault_proxy: Callable[..., FaultProxy],
        clock: FakeClock,
    ) -> None:
        """What comes in small pieces comes all the same, and is asked for once."""
        proxy = fault_proxy("127.0.0.1", int(git_server.endpoint.rpartition(":")[2]))
        proxy.set(bytes_per_second=20_000, latency_seconds=0.02)
        url = git_server.url(remote).replace(git_server.endpoint, proxy.url)
        await self.block(url).aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE
        assert clock.sleeps == []

    async def test_trouble_that_stays_is_told_after_three_attempts(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path, clock: FakeClock
    ) -> None:
        """The error is that of the host, and nothing is left."""
        git_server.fail(50)
        with pytest.raises(GitUnavailable, match="503"):
            await call(self.block(git_server.url(remote)), "get_directory", local_path=str(tmp_path))
        assert len(clock.sleeps) == 2
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("host", ["closed", "unknown"])
    async def test_a_host_that_is_down_is_told(self, host: str, tmp_path: Path, clock: FakeClock) -> None:
        """One that refuses connections, one that no resolver knows."""
        from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, closed_port

        name = f"127.0.0.1:{closed_port()}" if host == "closed" else UNRESOLVABLE_HOST
        with pytest.raises(GitUnavailable) as caught:
            await self.block(f"http://{name}/{self.repository_path}").aget_directory(local_path=str(tmp_path))
        assert name in str(caught.value)
        assert len(clock.sleeps) == 2

    # Redirects

    async def test_a_repository_that_was_renamed_is_followed(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """On the same host, with the credentials."""
        git_server.require(self.authorization("token"))
        git_server.redirects["/old/name"] = git_server.url(remote)
        await self.block(git_server.url("old/name"), "token").aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE

    # Ends

    async def test_a_pull_that_takes_too_long_is_ended(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path
    ) -> None:
        """Git and its children go, and what they had written."""
        block = self.block(git_server.url(remote), timeout_seconds=1.0)
        with git_server.hold(), pytest.raises(GitTimeout, match="1 seconds"):
            await call(block, "get_directory", local_path=str(tmp_path))
        assert git_processes(git_server.endpoint) == []
        assert not list(tmp_path.iterdir())

    async def test_a_pull_that_is_cancelled_is_ended(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """The cancellation is heard when git and its children are gone, and what they had written."""
        with git_server.hold():
            pull = asyncio.create_task(self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path)))
            await apoll(lambda: _answer(git_server.requests), subject="A request", interval_seconds=0.02)
            assert git_processes(git_server.endpoint)
            pull.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pull
            assert git_processes(git_server.endpoint) == []
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
    async def test_a_process_that_is_ended_in_a_pull_is_no_obstacle_to_the_next(
        self, number: signal.Signals, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """One that is told to end ends git and removes what it had written; one that is killed leaves that to the next.

        All packages pull by the same code, which runs here by itself.
        """
        url = git_server.url(remote)
        with git_server.hold():
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PULL, url, str(tmp_path))
            await apoll(lambda: _answer(git_server.requests), subject="A request", interval_seconds=0.02)
            process.send_signal(number)
            await asyncio.wait_for(process.wait(), 30)
            if number == signal.SIGTERM:
                assert git_processes(git_server.endpoint) == []
                assert not list(tmp_path.iterdir())
        await self.block(url).aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".git")] == [".git"]
        await apoll(
            lambda: _answer([] if git_processes(git_server.endpoint) else [True]),
            subject="The end of git",
            interval_seconds=0.02,
            timeout_seconds=20,
        )

    async def test_nobody_is_ever_asked(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Programs that show a prompt are not called, with wrong credentials nor without."""
        git_server.require(self.authorization("right"))
        asker = tmp_path / "ask"
        asker.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path / "asked"}\necho secret\n')
        asker.chmod(asker.stat().st_mode | stat.S_IXUSR)
        for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
            monkeypatch.setenv(name, str(asker))
        monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
        for token in (None, "wrong"):
            with pytest.raises(GitAuthenticationFailed):
                await call(self.block(git_server.url(remote), token), "get_directory", local_path=str(tmp_path / "c"))
        assert not (tmp_path / "asked").exists()

    async def test_the_event_loop_is_free_meanwhile(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Rule 8: the async face does its work elsewhere."""
        block = self.block(git_server.url(remote))
        await block.aget_directory(local_path=str(tmp_path))
        await assert_loop_is_free(lambda: block.aget_directory(local_path=str(tmp_path)))

    async def test_errors_travel_between_processes(self, git_server: GitServer, tmp_path: Path) -> None:
        """They survive pickling, and are what code for the published packages catches."""
        with pytest.raises(GitError) as caught:
            await self.block(git_server.url(self.repository_path)).aget_directory(local_path=str(tmp_path))
        copied = pickle.loads(pickle.dumps(caught.value))
        assert (type(copied), str(copied)) == (type(caught.value), str(caught.value))
        assert isinstance(copied, RuntimeError)
        assert isinstance(copied, OSError)

    async def test_a_redirect_to_another_host_is_told(
        self, git_server: GitServer, git_tls_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Nothing is asked of the other host; the error names the new address."""
        git_server.redirects[f"/{self.repository_path}"] = f"{git_tls_server.endpoint}/elsewhere"
        block = self.block(git_server.url(remote), "token")
        with pytest.raises(GitRepositoryMoved, match="elsewhere"):
            await block.aget_directory(local_path=str(tmp_path))
        assert git_tls_server.requests == []


_PULL = """
import signal, sys
from prefect_integration_kit.git import GitSource, pull

def end(*_):
    raise SystemExit(143)  # as Prefect's engine ends a run

signal.signal(signal.SIGTERM, end)
pull(GitSource(sys.argv[1]), sys.argv[2])
"""


async def _answer(requests: list[Any]) -> bool | None:
    return bool(requests) or None


def fake_git(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a `git` of our own before the real one: for what cannot be provoked, such as a full disk.

    Args:
        folder: Where to put it.
        script: What it does, for `sh`.
        monkeypatch: Changes `PATH`.
    """
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
