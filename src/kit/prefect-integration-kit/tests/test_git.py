"""What the git layer does beside what the suite of repositories asks for."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from prefect_integration_kit.git import (
    CloneBackoff,
    GitAccess,
    GitAccessDenied,
    GitAuth,
    GitAuthenticationFailed,
    GitCertificateError,
    GitDiskFull,
    GitError,
    GitInvalidRequest,
    GitNotInstalled,
    GitReferenceNotFound,
    GitRepositoryNotFound,
    GitSource,
    GitTimeout,
    GitUnavailable,
    apull,
    pull,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.git_server import (
    BareRepository,
    GitServer,
    GitSshServer,
    Link,
    Submodule,
    basic,
    run_git,
)
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.leaks import LeakWatch
from prefect_integration_tests.suites.git_host import git_processes, read_tree, said_by_processes


@pytest.fixture(autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_SSH_COMMAND", "GIT_SSH", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("org/repo")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


class TestSsh:
    @pytest.fixture
    def repository(self, tmp_path_factory: pytest.TempPathFactory) -> BareRepository:
        made = BareRepository(tmp_path_factory.mktemp("ssh") / "org/repo")
        made.commit({"flow.py": b"print('flow')\n"})
        return made

    def access(self, server: GitSshServer, key: str | None = None) -> GitAccess:
        return GitAccess(
            ssh_private_key=SecretStr(server.private_key if key is None else key), ssh_known_hosts=server.known_hosts
        )

    def test_a_key_is_all_that_is_needed(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path
    ) -> None:
        source = GitSource(git_ssh_server.url(repository.path), access=self.access(git_ssh_server))
        pull(source, tmp_path)
        assert (tmp_path / "flow.py").exists()

    def test_a_submodule_gets_the_same_key(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path
    ) -> None:
        inner = BareRepository(repository.path.with_name("inner"))
        commit = inner.commit({"inner.py": b"inner"})
        gitmodules = b'[submodule "inner"]\n\tpath = inner\n\turl = ../inner\n'
        repository.commit({".gitmodules": gitmodules, "inner": Submodule(commit)})
        url = git_ssh_server.url(repository.path)
        pull(GitSource(url, include_submodules=True, access=self.access(git_ssh_server)), tmp_path)
        assert (tmp_path / "inner/inner.py").exists()

    def test_line_ends_of_the_key_do_not_matter(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path
    ) -> None:
        key = git_ssh_server.private_key.strip().replace("\n", "\r\n")
        pull(GitSource(git_ssh_server.url(repository.path), access=self.access(git_ssh_server, key)), tmp_path)
        assert (tmp_path / "flow.py").exists()

    def test_a_strangers_key_is_refused_by_name(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path
    ) -> None:
        access = self.access(git_ssh_server, git_ssh_server.strangers_key)
        with pytest.raises(GitAuthenticationFailed, match="SSH key"):
            pull(GitSource(git_ssh_server.url(repository.path), access=access), tmp_path)

    def test_a_host_that_is_not_known_is_not_trusted(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path
    ) -> None:
        access = GitAccess(ssh_private_key=SecretStr(git_ssh_server.private_key), ssh_known_hosts="other ssh-rsa AAAA")
        with pytest.raises(GitCertificateError, match="ssh_known_hosts"):
            pull(GitSource(git_ssh_server.url(repository.path), access=access), tmp_path)

    def test_the_key_is_private_while_it_is_used_and_gone_afterwards(
        self, git_ssh_server: GitSshServer, repository: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files: list[tuple[Path, int]] = []
        script = tmp_path / "bin/ssh"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nstat -c "%n %a" "$2" >>{tmp_path / "seen"}\nexec /usr/bin/ssh "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        url = git_ssh_server.url(repository.path)
        pull(GitSource(url, access=self.access(git_ssh_server)), tmp_path / "code")
        for line in (tmp_path / "seen").read_text().splitlines():
            name, mode = line.rsplit(" ", 1)
            files.append((Path(name), int(mode, 8)))
        assert files
        assert all(mode == 0o600 and not path.parent.exists() for path, mode in files)

    @pytest.mark.parametrize("form", ["PEM", "RFC4716"])
    def test_a_key_with_a_passphrase_is_refused_before_anybody_is_asked(self, form: str, tmp_path: Path) -> None:
        kind = ["-t", "rsa", "-b", "2048", "-m", "PEM"] if form == "PEM" else ["-t", "ed25519"]
        command = ["ssh-keygen", "-q", *kind, "-N", "passphrase", "-f", str(tmp_path / "key")]
        subprocess.run(command, check=True)
        access = GitAccess(ssh_private_key=SecretStr((tmp_path / "key").read_text()))
        with pytest.raises(GitInvalidRequest, match="passphrase"):
            pull(GitSource("git@host:org/repo", access=access), tmp_path)

    def test_what_is_no_key_is_refused_without_being_said(self, tmp_path: Path) -> None:
        access = GitAccess(ssh_private_key=SecretStr("ssh-ed25519 AAAAC3Nza public"))
        with pytest.raises(GitInvalidRequest, match="ssh_private_key") as caught:
            pull(GitSource("git@host:org/repo", access=access), tmp_path)
        assert "AAAAC3Nza" not in str(caught.value)


class TestNetwork:
    def test_a_proxy_is_used_with_its_credentials(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        from urllib.parse import quote

        seen: list[str] = []
        git_server.on_request.append(lambda _: seen.append(said_by_processes()))
        proxy = git_server.endpoint.replace("://", f"://user:{quote(canary, safe='')}@")
        url = "http://git.example.invalid/org/repo"
        git_server.accepted_by_proxy = {basic("user", canary)}
        pull(GitSource(url, access=GitAccess(proxy=SecretStr(proxy))), tmp_path)
        assert (tmp_path / "flow.py").exists()
        assert git_server.requests[-1].headers["host"] == "git.example.invalid"
        assert git_server.requests[-1].headers["proxy-authorization"] == basic("user", canary)
        no_canary_leaks.add("processes", "\n".join(seen))

    def test_a_proxy_that_asks_for_credentials_is_told_from_the_host(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.accepted_by_proxy = {basic("user", "right")}
        access = GitAccess(proxy=SecretStr(git_server.endpoint))
        with pytest.raises(GitAuthenticationFailed, match="proxy asks for credentials"):
            pull(GitSource("http://git.example.invalid/org/repo", access=access), tmp_path)

    def test_a_proxy_that_is_down_is_told(self, tmp_path: Path, fake_clock: FakeClock) -> None:
        access = GitAccess(proxy=SecretStr("http://user:secret@127.0.0.1:1"))
        with pytest.raises(GitUnavailable) as caught:
            pull(GitSource("http://git.example.invalid/org/repo", access=access), tmp_path, clock=fake_clock)
        assert "secret" not in str(caught.value)

    def test_what_is_unsafe_is_warned_of(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        logger = logging.getLogger("git-test")
        access = GitAccess(GitAuth.bearer("t"), verify=False, proxy=SecretStr(git_server.endpoint))
        with caplog.at_level(logging.WARNING, "git-test"):
            pull(GitSource("http://git.example.invalid/org/repo", access=access), tmp_path, logger=logger)
        assert "certificate of git.example.invalid is not checked" in caplog.text
        assert "go over http" in caplog.text

    def test_a_bundle_that_is_no_file_is_named(self, tmp_path: Path) -> None:
        access = GitAccess(ca_bundle=str(tmp_path / "gone.pem"))
        with pytest.raises(GitInvalidRequest, match=r"gone\.pem"):
            pull(GitSource("https://host/org/repo", access=access), tmp_path / "code")

    def test_a_system_without_memory_files_keeps_the_credentials_out_of_arguments_and_files_all_the_same(
        self,
        git_server: GitServer,
        remote: BareRepository,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        canary: str,
        no_canary_leaks: LeakWatch,
    ) -> None:
        monkeypatch.delattr("os.memfd_create")
        git_server.require(basic("user", canary))
        pull(GitSource(git_server.url(remote), access=GitAccess(GitAuth.basic("user", canary))), tmp_path)
        assert (tmp_path / "flow.py").exists()
        no_canary_leaks.add("the configuration", (tmp_path / ".git/config").read_text())

    def test_a_local_path_is_pulled(self, remote: BareRepository, tmp_path: Path) -> None:
        for number, url in enumerate((str(remote.path), remote.path.as_uri())):
            pull(GitSource(url), tmp_path / str(number))
            assert (tmp_path / str(number) / "flow.py").exists()

    def test_a_submodule_with_a_local_path_is_refused(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        gitmodules = f'[submodule "x"]\n\tpath = x\n\turl = {remote.path}\n'
        commit = remote.resolve("refs/heads/main")
        remote.commit({".gitmodules": gitmodules.encode(), "x": Submodule(commit)})
        with pytest.raises(GitAccessDenied, match="submodule"):
            pull(GitSource(git_server.url(remote), include_submodules=True), tmp_path)


class TestLinks:
    def test_a_link_that_leads_outside_stays_a_link(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        remote.commit({"part/out": Link("/etc/passwd"), "part/up": Link(".."), "part/gone": Link("nowhere")})
        pull(GitSource(git_server.url(remote)), tmp_path, from_path="part")
        assert read_tree(tmp_path / "part") == {"out": Link("/etc/passwd"), "up": Link(".."), "gone": Link("nowhere")}

    def test_a_link_to_another_folder_becomes_a_copy(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        remote.commit({"part/lib": Link("../lib"), "lib/a": b"a", "lib/b": Link("a")})
        pull(GitSource(git_server.url(remote)), tmp_path, from_path="part")
        assert read_tree(tmp_path) == {"part/lib/a": b"a", "part/lib/b": Link("a")}


class TestLfs:
    @pytest.fixture
    def without_lfs(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        import os
        import shutil

        folder = tmp_path_factory.mktemp("bin")
        for name in ("git", "sh", "sed", "uname", "basename", "cat"):
            if found := shutil.which(name):
                os.symlink(found, folder / name)
        monkeypatch.setenv("PATH", str(folder))

    @pytest.fixture
    def with_pointer(self, git_server: GitServer, remote: BareRepository) -> BareRepository:
        pointer = git_server.lfs.add(b"content")
        remote.commit({".gitattributes": b"*.bin filter=lfs -text\n", "a.bin": pointer})
        return remote

    def test_where_it_is_not_installed_a_warning_says_what_came_instead(
        self,
        git_server: GitServer,
        with_pointer: BareRepository,
        tmp_path: Path,
        without_lfs: None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        logger = logging.getLogger("git-test")
        with caplog.at_level(logging.WARNING, "git-test"):
            pull(GitSource(git_server.url(with_pointer)), tmp_path, logger=logger)
        assert (tmp_path / "a.bin").read_bytes().startswith(b"version https://git-lfs")
        assert "1 files in Git LFS" in caplog.text

    def test_where_it_is_asked_for_it_must_be_installed(
        self, git_server: GitServer, with_pointer: BareRepository, tmp_path: Path, without_lfs: None
    ) -> None:
        with pytest.raises(GitNotInstalled, match="git-lfs"):
            pull(GitSource(git_server.url(with_pointer), lfs=True), tmp_path)


class TestSecrets:
    @pytest.mark.parametrize("token", ["e", "not"])
    @pytest.mark.parametrize("trouble", ["token", "scope", "repository", "branch", "commit", "moved", "host"])
    def test_a_short_one_does_not_blur_what_is_wrong(
        self, token: str, trouble: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        url, reference = git_server.url(remote), None
        if trouble == "token":
            git_server.require("Basic other")
        elif trouble == "scope":
            git_server.forbidden.add(basic("user", token))
        elif trouble == "host":
            url = "http://127.0.0.1:1/org/repo"
        elif trouble == "repository":
            url = git_server.url("org/gone")
        elif trouble == "moved":
            git_server.redirects["/old"] = url
            url = git_server.url("old")
        else:
            reference = "gone" if trouble == "branch" else "1" * 40
        source = GitSource(url, reference, access=GitAccess(GitAuth.basic("user", token)))
        if trouble == "moved":
            pull(source, tmp_path)
            return
        with pytest.raises(GitError) as caught:
            pull(source, tmp_path, backoff=CloneBackoff(max_attempts=1))
        assert (
            type(caught.value)
            is {
                "token": GitAuthenticationFailed,
                "scope": GitAccessDenied,
                "repository": GitRepositoryNotFound,
                "branch": GitReferenceNotFound,
                "commit": GitReferenceNotFound,
                "host": GitUnavailable,
            }[trouble]
        )


class TestDisk:
    @pytest.fixture
    def large(self, remote: BareRepository) -> BareRepository:
        remote.commit({"large.bin": random.Random(1).randbytes(3_000_000)})
        return remote

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of one megabyte."""
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("Only root can make a small disk.")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    def test_one_that_is_full_is_told_and_emptied_again(
        self, git_server: GitServer, large: BareRepository, small_disk: Path
    ) -> None:
        with pytest.raises(GitDiskFull, match=r"The disk is full\. Free some space"):
            pull(GitSource(git_server.url(large)), small_disk / "code")
        assert list((small_disk / "code").iterdir()) == []

    def test_one_that_is_full_when_files_are_written_is_told_as_well(
        self, git_server: GitServer, remote: BareRepository, small_disk: Path
    ) -> None:
        remote.commit({f"{number}.txt": b"x" * 100_000 for number in range(30)})
        with pytest.raises(GitDiskFull, match="disk is full"):
            pull(GitSource(git_server.url(remote)), small_disk / "code")
        assert list((small_disk / "code").iterdir()) == []

    def test_a_limit_of_the_system_is_told(
        self, git_server: GitServer, large: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = tmp_path / "bin/git"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nulimit -f 1000\nexec {shutil.which("git")} "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        with pytest.raises(GitDiskFull, match="ulimit -f"):
            pull(GitSource(git_server.url(large)), tmp_path / "code")
        assert list((tmp_path / "code").iterdir()) == []

    def test_a_folder_that_cannot_be_written_to_is_named(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        with pytest.raises(GitError, match=r"Cannot write to '/proc/[^']*'|/proc"):
            pull(GitSource(git_server.url(remote)), "/proc/self/fd")


class TestEnds:
    def test_children_that_do_not_want_to_go_are_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = tmp_path / "bin/git"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\ntrap '' TERM\n(trap '' TERM; exec sleep 98765)&\nexec sleep 98765\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        with pytest.raises(GitTimeout):
            pull(GitSource("https://host/org/repo", timeout_seconds=0.3), tmp_path / "code")
        assert git_processes("98765") == []

    def test_output_without_end_is_read_and_not_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = tmp_path / "bin/git"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\nyes noise | head -c 20000000 >&2\necho 'fatal: early EOF' >&2\nexit 128\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        with pytest.raises(GitUnavailable) as caught:
            pull(GitSource("https://host/org/repo"), tmp_path / "code", backoff=CloneBackoff(max_attempts=1))
        assert len(str(caught.value)) < 2000

    async def test_a_wait_between_attempts_can_be_cancelled(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.fail(9)
        backoff = CloneBackoff(wait_seconds=600)
        work = asyncio.create_task(apull(GitSource(git_server.url(remote)), tmp_path, backoff=backoff))

        async def has_failed() -> bool | None:
            return bool(git_server.requests and git_server.requests[-1].status) or None

        await apoll(has_failed, subject="The failure", interval_seconds=0.02, timeout_seconds=30)
        work.cancel()
        start = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert time.monotonic() - start < 30

    def test_a_pull_that_waits_for_another_has_an_end(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        source = GitSource(git_server.url(remote))
        with git_server.hold():
            first = threading.Thread(target=pull, args=(source, tmp_path), daemon=True)
            first.start()
            while not git_server.requests:
                first.join(0.02)
            with pytest.raises(GitTimeout):
                pull(GitSource(source.url, timeout_seconds=0.2), tmp_path)
        first.join(30)
        assert (tmp_path / "flow.py").exists()

    def test_what_a_killed_pull_has_left_is_removed_by_the_next(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        (tmp_path / ".git-pull-abc/clone").mkdir(parents=True)
        pull(GitSource(git_server.url(remote)), tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "flow.py"]

    def test_the_same_repository_over_another_address_form_is_updated(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        pull(GitSource(git_server.url(remote)), tmp_path)
        run_git("config", "remote.origin.url", git_server.url(remote).replace("://", "://org@"), folder=tmp_path)
        commit = remote.commit({"new": b"new"})
        pull(GitSource(git_server.url(remote)), tmp_path)
        assert run_git("rev-parse", "HEAD", folder=tmp_path) == commit
