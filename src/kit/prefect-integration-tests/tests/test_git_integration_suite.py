"""The suites of git hosts find out blocks that put a token into the address and think no further."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import tempfile
from pathlib import Path
from shutil import copytree
from types import ModuleType
from typing import Any, ClassVar

import pytest
from prefect.blocks.abstract import CredentialsBlock
from prefect.deployments.steps.core import StepExecutionError
from prefect.filesystems import ReadableDeploymentStorage
from pydantic import SecretStr, field_validator

from prefect_integration_tests.backends.git_server import basic
from prefect_integration_tests.suites import GitCredentialsSuite, GitDeploymentSuite

FAILURES = (
    AssertionError,
    OSError,
    RuntimeError,
    StepExecutionError,
    ValueError,
    pytest.fail.Exception,
    subprocess.CalledProcessError,
)


class CarelessHostCredentials(CredentialsBlock):
    """Knows one kind of login, escapes nothing, and forgets its user name when it is saved."""

    token: SecretStr | None = None
    username: str = "u"
    ca_bundle: str | None = None
    verify: bool = True

    def format_git_credentials(self, url: str) -> str:
        token = self.token.get_secret_value() if self.token else ""
        return url.replace("://", f"://{self.username}:{token}@")

    def get_client(self) -> Any:
        return None

    def _to_block_document(self, *args: Any, **options: Any) -> Any:
        document = super()._to_block_document(*args, **options)
        document.data.pop("username", None)
        return document


class CarelessHostRepository(ReadableDeploymentStorage):
    """Knows addresses over HTTP only, and lets git say what is wrong."""

    _clock: ClassVar[Any] = None

    repository: str
    reference: str | None = None
    git_depth: int | None = 1
    credentials: CarelessHostCredentials | None = None
    ssh_private_key: SecretStr | None = None
    ssh_known_hosts: str | None = None
    ca_bundle: str | None = None

    @field_validator("repository")
    @classmethod
    def _without_suffix(cls, repository: str) -> str:
        return repository.removesuffix(".git")

    async def aget_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        url = self.credentials.format_git_credentials(self.repository) if self.credentials else self.repository
        command = ["git", "clone", "--quiet", url, *(["--branch", self.reference] if self.reference else [])]
        with tempfile.TemporaryDirectory() as folder:
            env = {"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
            done = subprocess.run([*command, folder], env=env, capture_output=True, check=False)
            if done.returncode:
                raise OSError(done.stderr.decode())
            copytree(folder, local_path or ".", dirs_exist_ok=True)

    async def get_directory(self, from_path: str | None = None, local_path: str | None = None) -> None:
        await self.aget_directory(from_path, local_path)


def _constants() -> ModuleType:
    module: Any = ModuleType("constants")
    module.MAX_CLONE_ATTEMPTS = 3
    module.CLONE_RETRY_MIN_DELAY_SECONDS = 1
    module.CLONE_RETRY_MIN_DELAY_JITTER_SECONDS = 0
    module.CLONE_RETRY_MAX_DELAY_JITTER_SECONDS = 3
    return module


class Careless(GitCredentialsSuite, GitDeploymentSuite):
    repository_path = "org/repo"
    credentials_block = CarelessHostCredentials
    repository_block = CarelessHostRepository
    attempts = _constants()
    logins: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "user": ({"token": "p@ss", "username": "ada"}, basic("ada", "p@ss")),
        "token": ({"token": "deploy:t"}, basic("deploy", "t")),
    }
    advice: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {"user": ({"token": "x"}, "needs the role reader")}
    addresses: ClassVar[dict[str, str]] = {"https://h/o/r.git": "https://h/o/r.git"}

    def authorization(self, token: str) -> str:
        return basic("u", token)


FOUND: dict[str, dict[str, Any]] = {
    "test_each_login_is_sent_as_the_host_wants_it": {"login": Careless.logins["token"]},
    "test_credentials_without_a_token_read_what_is_public": {},
    "test_an_ssh_key_opens_the_door": {},
    "test_an_authority_is_trusted_by_the_credentials_or_the_repository": {},
    "test_a_refusal_says_what_these_credentials_need": {"refused_login": Careless.advice["user"]},
    "test_a_token_without_the_scope_is_told_what_it_lacks": {},
    "test_each_form_of_address_is_taken": {"written_address": next(iter(Careless.addresses.items()))},
    "test_a_pull_request_is_pulled_by_its_reference": {},
    "test_a_depth_below_one_is_refused": {},
    "test_attempts_are_those_of_the_module": {},
    "test_git_clone_in_yaml_takes_each_login": {"step_login": Careless.logins["user"]},
    "test_git_clone_takes_the_block_in_each_form": {"form": "dictionary"},
    "test_git_clone_pulls_what_is_asked_for": {"wanted": "branch"},
    "test_git_clone_gets_submodules_with_the_credentials": {},
    "test_a_login_that_is_refused_is_not_said": {},
    "test_what_is_loaded_means_what_was_saved": {"step_login": Careless.logins["user"]},
    "test_a_token_that_is_changed_by_hand_is_the_one_that_is_sent": {},
    "test_a_saved_repository_is_pulled_by_the_step": {},
    "test_a_deployment_of_prefect_yaml_pulls_its_code_and_runs": {},
    "test_a_flow_is_loaded_from_the_source_and_runs": {},
}
OF_THE_SUITE = {"tls_remote", "workplace", "remote"}


def test_each_test_of_the_suites_is_known_to_fail(tests_of: Any) -> None:
    assert tests_of(Careless) == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
async def test_a_careless_host_is_found_out(
    name: str,
    run_suite_test: Any,
    prefect_harness: None,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import prefect._internal.retries as retries_of_prefect

    monkeypatch.setattr(retries_of_prefect, "exponential_backoff_with_jitter", lambda *_: 0)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    suite = Careless()
    given = dict(FOUND[name])
    for wanted in inspect.signature(getattr(suite, name)).parameters:
        if wanted in OF_THE_SUITE:
            given[wanted] = _fixture_of(suite, wanted, request)
        elif wanted not in given:
            given[wanted] = request.getfixturevalue(wanted)
    if inspect.iscoroutinefunction(getattr(suite, name)):
        running = run_suite_test(suite, name, **given)
    else:
        running = asyncio.to_thread(getattr(suite, name), **given)  # as pytest does, where no loop runs
    with pytest.raises(FAILURES):
        await running


def _fixture_of(suite: Careless, name: str, request: pytest.FixtureRequest) -> Any:
    """Make a fixture that the suite itself brings."""
    fixture: Any = getattr(type(suite), name)
    make = getattr(fixture, "__wrapped__", None) or fixture._get_wrapped_function()
    wanted = [wanted for wanted in inspect.signature(make).parameters if wanted not in ("self", "_own_configuration")]
    given = {wanted: request.getfixturevalue(wanted) for wanted in wanted}
    if "_own_configuration" in inspect.signature(make).parameters:
        given["_own_configuration"] = None
    return make(suite, **given)
