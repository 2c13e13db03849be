"""The suite of git repositories finds out a block that does what first comes to mind."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import tempfile
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import quote

import pytest
from prefect.filesystems import ReadableDeploymentStorage

from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import GitServer, basic
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.faces import Call
from prefect_integration_tests.suites import GitRepositorySuite

FAILURES = (AssertionError, pytest.fail.Exception, subprocess.CalledProcessError, OSError, ValueError)


class CarelessRepository(ReadableDeploymentStorage):
    """Puts the token into the address and the reference into the arguments, and copies what comes."""

    repository: str
    reference: str | None = None
    git_depth: int | None = 1
    token: str | None = None
    include_submodules: bool = False
    directories: list[str] | None = None
    lfs: bool | None = None
    ca_bundle: str | None = None
    verify: bool = True
    timeout_seconds: float | None = None

    def _pull(self, from_path: str | None, local_path: str | None) -> None:
        url = self.repository.replace("://", f"://u:{quote(self.token, safe='')}@") if self.token else self.repository
        command = ["git", "clone", "--quiet", url]
        if self.reference:
            command += ["--branch", self.reference]
        if self.git_depth:
            command += ["--depth", str(self.git_depth)]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([*command, folder], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode:
                raise OSError(f"{url} could not be pulled: {done.stderr.decode()}")
            source = Path(folder) / from_path if from_path else Path(folder)
            copytree(source, local_path or ".", dirs_exist_ok=True)

    async def aget_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        await asyncio.to_thread(self._pull, from_path, local_path)

    @async_dispatch(aget_directory)
    def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        self._pull(from_path, local_path)


class Careless(GitRepositorySuite):
    def make_block(self, url: str, token: str | None, **fields: Any) -> CarelessRepository:
        return CarelessRepository(repository=url, token=token, **fields)

    def authorization(self, token: str) -> str:
        return basic("u", token)


FOUND: dict[str, dict[str, Any]] = {
    "test_credentials_are_seen_by_the_host_alone": {},
    "test_credentials_are_not_in_errors": {"trouble": "wrong"},
    "test_a_repository_comes_as_it_is": {},
    "test_each_kind_of_reference_is_found": {"kind": "commit"},
    "test_a_folder_comes_without_the_rest": {},
    "test_no_folder_outside_of_the_repository_is_read": {"from_path": "outside"},
    "test_only_the_wanted_directories_come": {},
    "test_submodules_come_with_the_same_credentials": {},
    "test_nothing_is_written_through_a_link_that_leads_outside": {},
    "test_a_second_pull_brings_what_is_new": {},
    "test_a_wrong_token_is_refused_at_once": {},
    "test_an_unknown_certificate_is_told_and_can_be_trusted": {},
    "test_a_reference_that_looks_like_an_option_is_refused": {"value": "--upload-pack=touch x"},
    "test_an_address_that_is_none_is_refused": {"url": "ext::sh -c touch% x"},
    "test_a_directory_that_is_none_is_refused": {"directory": "--stdin"},
    "test_trouble_that_passes_is_tried_again": {"fault": "503"},
    "test_errors_travel_between_processes": {},
    "test_credentials_are_given_to_no_store": {},
    "test_hooks_and_helpers_of_others_do_not_run": {},
}


@pytest.mark.parametrize("name", FOUND)
async def test_a_careless_repository_is_found_out(
    name: str,
    run_suite_test: Any,
    git_server: GitServer,
    git_tls_server: GitServer,
    git_authority: PrivateCA,
    fake_clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    suite = Careless()
    given = {"call": Call("async"), "clock": fake_clock, "fake_clock": fake_clock, "git_server": git_server}
    given |= {"git_tls_server": git_tls_server, "git_authority": git_authority, **FOUND[name]}
    if "remote" in inspect.signature(getattr(suite, name)).parameters:
        remote: Any = GitRepositorySuite.remote
        given["remote"] = getattr(remote, "__wrapped__", remote)(suite, git_server)
    with pytest.raises((*FAILURES, AttributeError)):
        await run_suite_test(suite, name, **given)
