"""The suites of blocks and credentials: good ones pass, and each broken one is found by its test."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import uuid
from typing import Any

import pytest
from prefect.blocks.abstract import CredentialsBlock
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, PrivateAttr, SecretStr, ValidationError, model_validator

from prefect_integration_tests.blocks import construction_error, plain_values, secret_fields
from prefect_integration_tests.faces import Call
from prefect_integration_tests.registry import registered_blocks
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite

LOGO = HttpUrl("https://example.com/logo.png")
DOCS = HttpUrl("https://example.com/docs")


class Client:
    """A client of nothing."""

    def __init__(self, token: str) -> None:
        self._token = token

    def close(self) -> None:
        """Do nothing."""


class Good(CredentialsBlock):
    """Log in.

    Example:
        ```python
        from good import Good

        good = Good.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Good"
    _logo_url = LOGO
    _documentation_url = DOCS

    token: SecretStr = Field(description="The token.")
    region: str = Field(default="eu", description="Where.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls._block_type_slug = cls.__name__.lower()  # the doubles below must not take each other's place
        super().__init_subclass__(**kwargs)

    def get_client(self) -> Client:
        return Client(self.token.get_secret_value())


class Nested(Block):
    """Holds a block.

    Example:
        ```python
        from good import Nested

        nested = Nested.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Nested"
    _logo_url = LOGO
    _documentation_url = DOCS

    good: Good = Field(description="Who.")
    extra: dict[str, SecretStr] = Field(default_factory=dict, description="More.")


class TestGood(CredentialsSuite):
    """Credentials that do all right pass."""

    @pytest.fixture
    def credentials(self, canary):
        return Good(token=canary)


APART = {"test_slugs_are_unique", "test_methods_tell_no_secrets", "test_functions_tell_no_secrets"}


class Blocks(BlockSuite):
    package = "good"

    def make(self, cls, canary):
        if cls is Nested:
            return Nested(good=Good(token=canary), extra={"x": canary})
        return cls(token=canary)


@pytest.mark.parametrize("cls", [Good, Nested])
@pytest.mark.parametrize("face", ["sync", "async"])
async def test_a_good_block_passes(cls, face, run_suite_test, tests_of, prefect_harness, canary) -> None:
    for name in sorted(tests_of(Blocks) - APART):
        await run_suite_test(Blocks(), name, block_class=cls, call=Call(face), canary=canary)


# Blocks that must fail, by what is wrong with them


class NoLogo(Good):
    """Log in."""

    _logo_url = None
    _block_type_name = "No Logo"


class NoTypeName(Good):
    """Log in."""


class NoExample(Good):
    """Log in."""

    _block_type_name = "No Example"


class NoPeriod(Good):
    """Log in."""

    region: str = Field(default="eu", description="Where")


class Refuses(Good):
    """Cannot be registered."""

    _block_type_name = "Refuses"

    @classmethod
    async def aregister_type_and_schema(cls, client=None) -> None:
        """Do nothing."""


class Changes(Good):
    """Grows a value when it is loaded."""

    _block_type_name = "Changes"

    @model_validator(mode="after")
    def _grow(self):
        self.region = self.region + "!"
        return self


class Loses(Good):
    """Forgets what it was saved with."""

    _block_type_name = "Loses"

    @classmethod
    def _from_block_document(cls, block_document):
        block = super()._from_block_document(block_document)
        block.region = "other"
        return block


class GrowsSchema(Good):
    """Changes its schema when it is used."""

    @model_validator(mode="after")
    def _grow(self):
        type(self).model_fields["region"].default += "x"
        type(self).model_rebuild(force=True)
        return self


class HoldsALock(Good):
    """Cannot be pickled."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class HoldsItsClient(Good):
    """Carries an open client along."""

    _client: Any = PrivateAttr(default=None)

    def get_client(self):
        self._client = self._client or _Open()
        return self._client


class _Open:
    def __reduce__(self):
        raise TypeError("cannot pickle an open client")


class PlainPassword(Good):
    """Shows a password."""

    _block_type_name = "Plain Password"
    password: str = Field(default="", description="Shown.")


class EmptySecret(Good):
    """Has a secret that `make` does not know."""

    password: SecretStr = Field(default=SecretStr(""), description="Empty.")


class ShowsItself(Good):
    """Prints its secret."""

    _block_type_name = "Shows Itself"

    def __repr__(self) -> str:
        return f"ShowsItself({self.token.get_secret_value()})"


class LogsOnSave(Good):
    """Logs its secret."""

    _block_type_name = "Logs On Save"

    async def asave(self, name=None, overwrite=False, client=None):
        logging.getLogger("x").debug("saving %s", self.token.get_secret_value())


class TalkativeError(Good):
    """Says what it was given."""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, given: Any) -> Any:
        if not isinstance(given.get("region", ""), str):
            raise ValueError(f"{given['token'].get_secret_value()} does not go with this region")
        return given


BROKEN: list[tuple[str, type[Block]]] = [
    ("test_a_block_is_presented", NoLogo),
    ("test_a_block_is_presented", NoTypeName),
    ("test_a_block_has_an_example", NoExample),
    ("test_fields_are_described", NoPeriod),
    ("test_a_block_type_registers", Refuses),
    ("test_a_loaded_block_equals_the_saved", Changes),
    ("test_a_loaded_block_equals_the_saved", Loses),
    ("test_the_schema_is_stable", GrowsSchema),
    ("test_a_block_travels", HoldsALock),
    ("test_secrets_have_secret_types", PlainPassword),
    ("test_secrets_have_secret_types", EmptySecret),
    ("test_secrets_are_not_shown", ShowsItself),
    ("test_secrets_are_not_shown", LogsOnSave),
    ("test_a_bad_field_does_not_show_secrets", TalkativeError),
]

FAILURES = (AssertionError, pytest.fail.Exception, TypeError)


@pytest.mark.parametrize(("name", "cls"), BROKEN)
async def test_a_broken_block_is_found_out(name, cls, run_suite_test, prefect_harness) -> None:
    with pytest.raises(FAILURES):
        await run_suite_test(Blocks(), name, block_class=cls, call=Call("async"))


def test_two_blocks_of_one_slug_are_found_out(monkeypatch) -> None:
    monkeypatch.setattr(Nested, "__module__", "twins.a")
    monkeypatch.setattr(Good, "__module__", "twins.b")
    monkeypatch.setattr(Good, "_block_type_slug", "nested")
    monkeypatch.setattr("prefect_integration_tests.registry.import_quietly", lambda _: None)
    suite = Blocks()
    monkeypatch.setattr(Blocks, "package", "twins")
    with pytest.raises(AssertionError):
        suite.test_slugs_are_unique()
    monkeypatch.setattr(Good, "_block_type_slug", "good")
    suite.test_slugs_are_unique()


def test_blocks_are_found_by_the_package_they_are_defined_in() -> None:
    names = {cls.__name__ for cls in registered_blocks("prefect")}
    assert {"Secret", "LocalFileSystem", "Webhook"} <= names
    assert "CredentialsBlock" not in names  # abstract
    assert registered_blocks("json") == []


def test_every_test_of_the_block_suite_has_a_block_that_fails_it(tests_of) -> None:
    assert tests_of(BlockSuite) == {name for name, _ in BROKEN} | APART


IN_VAIN = """
import logging
import subprocess
import sys
import urllib.request

from prefect.blocks.core import Block
from pydantic import SecretStr


class InVain(Block):
    token: SecretStr
    kept: list[str] = []

    def reach(self, name: str, times: int, *, folder: str | None) -> str:
        token = self.token.get_secret_value()
        assert isinstance(times, int) and folder is not None
        {reach}
        return token

    async def areach(self) -> None:
        urllib.request.urlopen("http://acme.example")
"""


@pytest.mark.parametrize(
    ("reach", "where"),
    [
        ("urllib.request.urlopen('https://acme.example')", None),
        ("urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open('http://192.0.2.1')", None),
        ("logging.getLogger('acme').debug('with %s', token)", "LOG acme"),
        ("raise ValueError(token)", "ERROR of reach"),
        ("subprocess.run([sys.executable, '-c', '', token])", "PROCESS"),
        ("print(token, flush=True)", "what the methods of InVain say"),
    ],
    ids=["none", "none to an address", "logged", "raised", "argument", "printed"],
)
async def test_what_methods_say_is_heard(reach, where, run_suite_test, tmp_path, monkeypatch, canary) -> None:
    (tmp_path / "in_vain.py").write_text(IN_VAIN.replace("{reach}", reach.replace("{{}}", "{}")))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("prefect_integration_tests.suites.block._IN_VAIN_SECONDS", 2)
    monkeypatch.delitem(sys.modules, "in_vain", raising=False)
    cls = importlib.import_module("in_vain").InVain

    if where is None:
        await run_suite_test(Blocks(), "test_methods_tell_no_secrets", block_class=cls, canary=canary)
    else:
        with pytest.raises(AssertionError, match=f"A secret stands in .*InVain.*|{where}"):
            await run_suite_test(Blocks(), "test_methods_tell_no_secrets", block_class=cls, canary=canary)


FUNCTIONS = """
from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.core import Block
from pydantic import SecretStr

if TYPE_CHECKING:
    from somewhere import Client


class FunctionsCredentials(Block):
    token: SecretStr


@task
async def aread(name: str, credentials: FunctionsCredentials) -> str:
    token = credentials.token.get_secret_value()
    {async_body}
    return token


@task
def read(name: str, credentials: FunctionsCredentials, client: Client | None = None) -> str:
    token = credentials.token.get_secret_value()
    {task}
    return token


@flow
def copy(credentials: FunctionsCredentials, page_token: str = "") -> None:
    token = credentials.token.get_secret_value()
    {flow}


def push(bucket: str, credentials: dict | None = None, password: str = "") -> dict:
    token = password if {by_password} else credentials["token"]
    {step}
    return {{}}
"""


@pytest.mark.parametrize(
    ("body", "line", "where"),
    [
        ("task", "pass", None),
        ("task", "logging.getLogger('acme').debug('with %s', token)", "acme"),
        ("async_body", "raise ValueError(token)", "ValueError"),
        ("flow", "create_markdown_artifact(token, key='k')", "REQUEST POST .*artifacts"),
        ("flow", "read.with_options(task_run_name=token)('a', credentials)", "task run"),
        ("step", "raise ValueError(token)", "ValueError"),
        ("by_password", "raise ValueError(token)", "ValueError"),
    ],
    ids=["none", "a task logs", "an async face raises", "an artifact", "a task's name", "a step's dict", "a password"],
)
async def test_what_functions_say_is_heard(
    body, line, where, run_suite_test, tmp_path, monkeypatch, canary, prefect_harness
) -> None:
    bodies = dict.fromkeys(("async_body", "task", "flow", "step"), "pass")
    bodies["step" if body == "by_password" else body] = line
    name = f"functions_{uuid.uuid4().hex}"
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / f"{name}.py").write_text(FUNCTIONS.format(**bodies, by_password=body == "by_password"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    importlib.import_module(name)

    class Functions(Blocks):
        package = name
        not_secret = frozenset({"page_token"})

    if where is None:
        await run_suite_test(Functions(), "test_functions_tell_no_secrets", canary=canary)
    else:
        with pytest.raises(AssertionError, match=f"what the functions of {name} say: .*({where})"):
            await run_suite_test(Functions(), "test_functions_tell_no_secrets", canary=canary)


# Credentials that must fail


class WithoutClient(Good):
    def get_client(self):
        return None


class ClientShowsToken(Good):
    class Shown(Client):
        def __repr__(self) -> str:
            return f"Client({self._token})"

    def get_client(self):
        return self.Shown(self.token.get_secret_value())


class NeverEqual(Good):
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None


class AlwaysEqual(Good):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class EqualUntilUsed(Good):
    _used: int = PrivateAttr(default=0)

    def get_client(self):
        self._used += 1
        return super().get_client()


class OneThreadOnly(Good):
    def get_client(self):
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("not from this thread")
        return super().get_client()


class NothingToHide(CredentialsBlock):
    region: str = "eu"

    def get_client(self):
        return Client("")


BROKEN_CREDENTIALS: list[tuple[str, type[Block]]] = [
    ("test_the_credentials_hold_the_canary", NothingToHide),
    ("test_a_client_is_handed_out", WithoutClient),
    ("test_secrets_are_not_shown", ShowsItself),
    ("test_secrets_are_not_shown", ClientShowsToken),
    ("test_a_bad_field_does_not_show_the_others", TalkativeError),
    ("test_credentials_travel_without_their_client", HoldsItsClient),
    ("test_equal_credentials_are_equal", NeverEqual),
    ("test_equal_credentials_are_equal", AlwaysEqual),
    ("test_equal_credentials_are_equal", EqualUntilUsed),
    ("test_many_threads_get_clients", OneThreadOnly),
]


@pytest.mark.parametrize(("name", "cls"), BROKEN_CREDENTIALS)
async def test_broken_credentials_are_found_out(name, cls, run_suite_test, canary) -> None:
    credentials = cls() if cls is NothingToHide else cls(token=canary)
    with pytest.raises((*FAILURES, RuntimeError)):
        await run_suite_test(TestGood(), name, credentials=credentials, canary=canary)


def test_every_test_of_the_credentials_suite_has_a_block_that_fails_it(tests_of) -> None:
    assert tests_of(CredentialsSuite) == {name for name, _ in BROKEN_CREDENTIALS}


# What the suites look with


def test_secrets_are_found_however_deep() -> None:
    nested = Nested(good=Good(token="t"), extra={"x": "u"})
    assert secret_fields(nested) == {"good.token": "t", "extra.x": "u"}


def test_blocks_are_compared_by_value_and_class() -> None:
    assert plain_values(Good(token="t")) == plain_values(Good(token="t"))
    assert plain_values(Good(token="t")) != plain_values(Good(token="u"))
    assert plain_values(Good(token="t")) != plain_values(NoPeriod(token="t"))


def test_an_error_of_construction_is_returned() -> None:
    assert isinstance(construction_error(Good, {}), ValidationError)
    assert construction_error(Good, {"token": "t"}) is None


def test_unions_are_no_secret() -> None:
    class Either(Block):
        one: str | int = 1

    assert secret_fields(Either()) == {}
