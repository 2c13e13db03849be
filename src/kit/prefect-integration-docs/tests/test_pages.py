"""What a page shows of a module, feature by feature."""

from __future__ import annotations

import re
from typing import Any

import pytest

SOURCE = '''\
"""Storage of Acme.

# Usage

Braces {such} as <these>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from prefect import flow, task

from prefect_acme.errors import AcmeError

if TYPE_CHECKING:
    def hidden(): ...

LIMIT: int = 5
"""How many at most."""
_PRIVATE = 1


def plain(a, /, b: int, *args: str, c: str = "x", d=None, **kwargs: int) -> "list[str]":
    """Do it.

    Args:
        a: The first,
            over two lines.
        b: The second.
        *args: More.
        **kwargs: Named.

    Returns:
        A list: one text each.

    Raises:
        AcmeError: If it fails.
        ValueError: If not.

    Note:
        Mind {this}.

    See also:
        Something.

    Examples:
        ```python runnable
        plain({1: 2})
        ```

        >>> plain(1)
        []
    """


def keywords(*, only: bool = True) -> None:
    """Take keywords only. Calls `plain()` and `only`, not `keywords`, raises `AcmeError`."""


def a_very_long_name_indeed(first_parameter: dict[str, list[int]], second_parameter: str = "something") -> None:
    """Long."""


async def aread(path: str) -> bytes:
    """Async form of `read`."""


def read(path: str) -> bytes:
    """Read it."""


@task
async def fetch(url: str) -> str:
    """Fetch."""


@flow(
    name="x",
)
def pipeline() -> None:
    """Run."""


@overload
def either(x: int) -> int: ...
@overload
def either(x: str) -> str: ...
def either(x):
    """Either."""


try:
    import fast
except ImportError:
    def fallback() -> None:
        """Defined in a try."""


class Store:
    """A store.

    Attributes:
        size: How large.
    """

    def __init__(self, root: str, *, size: int = 3) -> None:
        self.size = size

    def write(self) -> None:
        """Write, then `read` it with `Store.close`.

        Title
        -----
        """

    def close(self) -> None: ...

    def _hidden(self) -> None: ...

    @property
    def path(self) -> str:
        """The path."""

    @path.setter
    def path(self, value: str) -> None: ...

    @classmethod
    def make(cls) -> Store:
        """Make one."""

    @staticmethod
    def check(x: int) -> bool:
        """Check."""


class Vault(Store):
    """A vault; see `close`."""

    def write(self) -> None: ...

    def open(self) -> None:
        """Open."""
'''
ERRORS = '"""Errors."""\n\n\nclass AcmeError(Exception):\n    """It failed."""\n'


@pytest.fixture
def page(repository: Any) -> str:
    repository.package("prefect-acme", __init__="", storage=SOURCE, errors=ERRORS)
    outcome = repository.generate()
    assert repository.problems(outcome) == []
    return repository.page("prefect_acme-storage")


def entry(page: str, name: str, level: int = 3) -> str:
    """Cut the part of a page that belongs to a heading."""
    match = re.search(rf"^{'#' * level} `{name}`.*?(?=^#{{2,{level}}} |\Z)", page, re.DOTALL | re.MULTILINE)
    assert match is not None, f"no heading {name}"
    return match[0]


def test_front_matter_title_and_module_docstring(page: str) -> None:
    assert page.startswith(
        "---\ntitle: storage\nsidebarTitle: storage\n---\n\n# `prefect_acme.storage`\n\nStorage of Acme.\n\n"
        "### Usage\n\nBraces \\{such\\} as \\<these>.\n\n## Functions\n"
    )


def test_functions_and_classes_stand_in_the_order_of_the_source_and_methods_by_name(page: str) -> None:
    sections = re.findall(r"^(#{2,4}) `?(\w+)", page, re.MULTILINE)
    names = [name for marks, name in sections if marks != "##" and name != "Usage"]
    assert names[:10] == [
        *("plain", "keywords", "a_very_long_name_indeed", "aread", "read", "fetch", "pipeline", "either"),
        *("fallback", "Store"),
    ]
    assert names[10:] == [
        *("check", "close", "make", "path", "write"),
        *("Vault", "check", "close", "make", "open", "path", "write"),
    ]


def test_a_heading_is_the_name_and_the_link_to_the_line_of_def(page: str) -> None:
    line = SOURCE.splitlines().index("def pipeline() -> None:") + 1
    assert entry(page, "pipeline").splitlines()[0] == (
        '### `pipeline` <sup><a href="https://example.com/repo/blob/main/src/integrations/prefect-acme/prefect_acme/'
        f'storage.py#L{line}" target="_blank" aria-label="Source of pipeline">'
        '<Icon icon="github" style="width: 14px; height: 14px;" /></a></sup>'
    )


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("plain", "plain(a, /, b: int, *args: str, c: str = 'x', d=None, **kwargs: int) -> list[str]"),
        ("keywords", "keywords(*, only: bool = True) -> None"),
        (
            "a_very_long_name_indeed",
            (
                "a_very_long_name_indeed(\n    first_parameter: dict[str, list[int]],\n"
                "    second_parameter: str = 'something',\n) -> None"
            ),
        ),
        ("fetch", "async fetch(url: str) -> str"),
    ],
)
def test_a_signature_shows_every_parameter_with_its_kind(page: str, name: str, signature: str) -> None:
    assert f"```python\n{signature}\n```" in entry(page, name)


def test_sections_keep_their_labels_order_and_shapes(page: str) -> None:
    text = entry(page, "plain")
    assert text[text.index("Do it.") :].strip() == (
        "Do it.\n\n"
        "**Args:**\n\n- `a`: The first,\n  over two lines.\n- `b`: The second.\n- `*args`: More.\n"
        "- `**kwargs`: Named.\n\n"
        "**Returns:**\n\n- A list: one text each.\n\n"
        "**Raises:**\n\n"
        "- [`AcmeError`](/integrations/prefect-acme/api-ref/prefect_acme-errors#acmeerror): If it fails.\n"
        "- `ValueError`: If not.\n\n"
        "<Note>\nMind \\{this\\}.\n</Note>\n\n"
        "**See also:**\n\nSomething.\n\n"
        "**Examples:**\n\n```python\nplain({1: 2})\n```\n\n```python\n>>> plain(1)\n[]\n```"
    )


def test_names_in_code_are_linked_but_neither_the_subject_nor_its_parameters(page: str) -> None:
    here = "/integrations/prefect-acme/api-ref/prefect_acme-storage"
    assert f"Calls [`plain()`]({here}#plain) and `only`, not `keywords`, raises [`AcmeError`]" in page
    assert f"Write, then [`read`]({here}#read) it with [`Store.close`]({here}#close)." in page


def test_a_member_of_the_class_at_hand_goes_before_all_others(page: str) -> None:
    assert "A vault; see [`close`](/integrations/prefect-acme/api-ref/prefect_acme-storage#close-2)." in page


def test_both_faces_are_one_entry_and_the_async_name_keeps_its_anchor(page: str) -> None:
    assert (
        "```python\nread(path: str) -> bytes\n```\n\n```python\nasync aread(path: str) -> bytes\n```\n\nRead it."
        in page
    )
    async_entry = entry(page, "aread")
    assert "```python\nasync aread(path: str) -> bytes\n```" in async_entry
    assert async_entry.rstrip().endswith(
        "Async form of [`read`](/integrations/prefect-acme/api-ref/prefect_acme-storage#read)."
    )


@pytest.mark.parametrize(
    ("name", "level", "badge"),
    [
        ("fetch", 3, "*task*"),
        ("pipeline", 3, "*flow*"),
        ("path", 4, "*property*"),
        ("make", 4, "*class method*"),
        ("check", 4, "*static method*"),
    ],
)
def test_what_it_is_stands_above_the_signature(page: str, name: str, level: int, badge: str) -> None:
    assert entry(page, name, level).split("\n\n")[1] == badge


def test_overloads_share_one_heading_with_one_fence_each(page: str) -> None:
    assert page.count("### `either`") == 1
    assert "```python\neither(x: int) -> int\n```\n\n```python\neither(x: str) -> str\n```\n\nEither." in page


def test_a_property_with_a_setter_is_one_entry(page: str) -> None:
    assert page[: page.index("### `Vault`")].count("#### `path`") == 1


def test_what_type_checkers_alone_see_is_left_out_and_a_try_is_not(page: str) -> None:
    assert "`hidden`" not in page
    assert "`_hidden`" not in page
    assert "### `fallback`" in page


def test_a_plain_class_shows_how_it_is_made(page: str) -> None:
    assert "**Constructor:**\n\n```python\nStore(root: str, *, size: int = 3)\n```" in page


def test_inherited_members_are_listed_in_full_with_their_origin(page: str) -> None:
    vault = page[page.index("### `Vault`") :]
    here = "/integrations/prefect-acme/api-ref/prefect_acme-storage"
    assert f"Bases: [`Store`]({here}#store)" in vault
    assert f"Inherited from [`Store`]({here}#store)." in entry(vault, "make", 4)


def test_an_override_without_a_docstring_has_that_of_its_base(page: str) -> None:
    vault = page[page.index("### `Vault`") :]
    assert "Write, then" in entry(vault, "write", 4)


def test_a_heading_in_a_docstring_stays_below_its_member(page: str) -> None:
    assert "\n###### Title\n" in page


def test_constants_are_shown(page: str) -> None:
    assert page.rstrip().endswith("## Constants\n\n- `LIMIT` (`int`) = `5`: How many at most.")


def test_anchors_are_unique(page: str) -> None:
    """As the site makes them: see `names.Anchors`."""
    from prefect_integration_docs.names import Anchors

    anchors_made = Anchors()
    headings = re.findall(r"^#{1,4} (.*?)(?: <sup>.*)?$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    anchors = [anchors_made.take(heading.strip("`")) for heading in headings]
    assert len(set(anchors)) == len(anchors)
    for target in re.findall(r"prefect_acme-storage#([\w-]+)", page):
        assert target in anchors


# --- classes with fields ---------------------------------------------------------------------------------------------

MODELS = '''\
"""Models."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, ClassVar, NamedTuple, TypedDict

from prefect.blocks.core import Block
from prefect.settings.base import PrefectBaseSettings, build_settings_config
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker
from prefect._internal.compatibility.deprecated import deprecated_callable
from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretStr
from typing_extensions import deprecated


class Base(BaseModel):
    """A base."""

    inherited: int = Field(default=1, description="From the base.")


class Options(Base):
    """Options.

    Attributes:
        name: Said in the docstring too.
        extra: Not a field.
    """

    model_config = {"extra": "forbid"}
    kind: ClassVar[str] = "x"
    _hidden: int = 3

    name: str = Field(description="The name, with {braces}.", alias="Name")
    count: Annotated[int, Field(ge=1, le=9, description="How many.")] = 2
    token: SecretStr = Field(default=SecretStr("hunter2"), description="A secret.")
    plain_secret: SecretStr = "hunter3"
    tags: list[str] = Field(default_factory=list)
    """Said below."""
    old: str | None = Field(default=None, deprecated="Use `name`.")


class Settings(PrefectBaseSettings):
    """Settings."""

    model_config = build_settings_config(("integrations", "acme", "worker"))

    poll_seconds: float = Field(default=5.0, gt=0, description="Seconds between polls.")
    old_name: str = Field(
        default="a",
        description="Has an alias.",
        validation_alias=AliasChoices(AliasPath("old_name"), "prefect_acme_old"),
    )
    nested: "Nested" = Field(default_factory=lambda: Nested(), description="A group.")


class Nested(PrefectBaseSettings):
    """A group of settings."""


@dataclass
class Point:
    """A point."""

    x: int
    y: int = 0
    labels: list[str] = field(default_factory=list)


class Row(TypedDict):
    """A row."""

    id: int


class Pair(NamedTuple):
    """A pair."""

    left: int
    right: int = 0


class Color(Enum):
    """A color."""

    RED = "red"


class AcmeCredentials(Block):
    """Who we are."""

    _block_type_name = "Acme Credentials"

    api_key: SecretStr = Field(description="The key.")

    def get_client(self) -> object:
        """Get a client."""


class AcmeVariables(BaseVariables):
    """Variables."""

    memory_mib: int = Field(default=512, description="Memory.")


class AcmeWorker(BaseWorker):
    """Runs flows on Acme."""

    type = "acme"
    job_configuration = BaseJobConfiguration
    job_configuration_variables = AcmeVariables


@deprecated_callable(start_date="Jun 2025", end_date="Dec 2025", help="Use `Options` instead.")
def old() -> None:
    """Old."""


@deprecated("Use Options.")
class Older:
    """Older."""


def oldest() -> None:
    """Oldest.

    Deprecated:
        1.2: Use `old`.
    """


def ancient() -> None:
    """Ancient.

    .. deprecated:: 1.1
        Use `old`.

    More.
    """


class Antique:
    """Deprecated alias of `Options`."""
'''


@pytest.fixture
def models(repository: Any) -> str:
    repository.write(
        "pyproject.toml",
        (repository.root / "pyproject.toml").read_text()
        + '\n[tool.prefect-integration-docs.elsewhere]\nprefect = "https://docs.example.com/prefect"\n',
    )
    library = {
        "__init__": "",
        "blocks/__init__": "",
        "blocks/core": (
            "from pydantic import BaseModel\n\n"
            "class Block(BaseModel):\n    def load(self): ...\n    def save(self): ...\n"
        ),
        "settings/__init__": "",
        "settings/base": (
            "from pydantic_settings import BaseSettings\n\nclass PrefectBaseSettings(BaseSettings):\n"
            "    def to_environment_variables(self): ...\n\ndef build_settings_config(path): ...\n"
        ),
        "workers/__init__": "",
        "workers/base": (
            "from pydantic import BaseModel, Field\n\nclass BaseJobConfiguration(BaseModel):\n    command: str = ''\n\n"
            "class BaseVariables(BaseModel):\n    name: str | None = Field(default=None, description='Its name.')\n\n"
            "class BaseWorker:\n    def run(self): ...\n"
        ),
    }
    # Found below a folder to search, before the installed Prefect: the test does not depend on its version.
    for path, text in library.items():
        repository.write(f"src/kit/stand-in/prefect/{path}.py", text)
    repository.package("prefect-acme", __init__="from prefect_acme.models import AcmeCredentials\n", models=MODELS)
    assert repository.problems(repository.generate()) == []
    return repository.page("prefect_acme-models")


def test_fields_show_type_default_alias_and_constraints(models: str) -> None:
    here = "/integrations/prefect-acme/api-ref/prefect_acme-models"
    options = entry(models, "Options")
    assert options[options.index("**Fields:**") :].strip() == (
        "**Fields:**\n\n"
        f"- `inherited`: `int`, default `1`. From the base. Inherited from [`Base`]({here}#base).\n"
        "- `name`: `str`, *required*. The name, with \\{braces\\}.\n"
        "\n"
        "  Said in the docstring too. Alias: `Name`.\n"
        "- `count`: `int`, default `2`. How many. Constraints: `ge=1`, `le=9`.\n"
        "- `token`: `SecretStr`, default `SecretStr('**********')`. A secret.\n"
        "- `plain_secret`: `SecretStr`, default `'**********'`.\n"
        "- `tags`: `list[str]`, default `list()`. Said below.\n"
        f"- `old`: `str | None`, default `None`. *Deprecated*: Use `name`."
    )
    assert "**Attributes:**\n\n- `extra`: Not a field." in options
    assert "hunter" not in models
    assert "_hidden" not in options


def test_settings_name_their_environment_variable(models: str) -> None:
    settings = entry(models, "Settings")
    assert "Environment variable: `PREFECT_INTEGRATIONS_ACME_WORKER_POLL_SECONDS`. Constraint: `gt=0`." in settings
    assert "Environment variable: `PREFECT_ACME_OLD`." in settings
    nested = next(line for line in settings.splitlines() if line.startswith("- `nested`"))
    assert nested == "- `nested`: `Nested`, default `Nested()`. A group."


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("Point", "- `x`: `int`, *required*.\n- `y`: `int`, default `0`.\n- `labels`: `list[str]`, default `list()`."),
        ("Row", "- `id`: `int`, *required*."),
        ("Pair", "- `left`: `int`, *required*.\n- `right`: `int`, default `0`."),
    ],
)
def test_other_classes_with_fields(models: str, name: str, item: str) -> None:
    assert f"**Fields:**\n\n{item}" in entry(models, name)


def test_an_enumeration_shows_its_members(models: str) -> None:
    assert "**Members:**\n\n- `RED`: `'red'`" in entry(models, "Color")


def test_a_block_says_how_it_is_registered_and_loaded(models: str) -> None:
    block = entry(models, "AcmeCredentials")
    assert "Block type `Acme Credentials`, slug `acme-credentials`." in block
    assert "prefect block register -m prefect_acme\n" in block
    assert 'from prefect_acme import AcmeCredentials\n\nblock = AcmeCredentials.load("BLOCK_NAME")\n' in block


def test_members_of_another_reference_are_one_line_of_links(models: str) -> None:
    page = "https://docs.example.com/prefect/prefect-blocks-core"
    assert f"Bases: [`Block`]({page}#block)" in entry(models, "AcmeCredentials")
    assert f"Inherited from [`Block`]({page}#block): [`load`]({page}#load), [`save`]({page}#save)" in models


def test_a_worker_shows_its_type_and_job_variables(models: str) -> None:
    worker = entry(models, "AcmeWorker")
    assert "Worker type `acme`." in worker
    assert "prefect worker start --pool POOL_NAME --type acme" in worker
    assert (
        "**Job variables:**\n\n- `name`: `str | None`, default `None`.\n- `memory_mib`: `int`, default `512`." in worker
    )
    assert "#acmevariables) says what each of them means." in worker


def test_deprecation_says_since_removal_and_replacement(models: str) -> None:
    here = "/integrations/prefect-acme/api-ref/prefect_acme-models"
    old = entry(models, "old")
    assert "*deprecated*" in old
    assert (
        "```python\nold() -> None\n```\n\n<Warning>\nDeprecated since Jun 2025, to be removed after Dec 2025. "
        f"Use [`Options`]({here}#options) instead.\n</Warning>\n\nOld." in old
    )
    assert "<Warning>\nDeprecated. Use Options.\n</Warning>" in entry(models, "Older")
    assert f"<Warning>\nDeprecated. 1.2: Use [`old`]({here}#old).\n</Warning>" in entry(models, "oldest")
    assert f"<Warning>\nDeprecated. 1.1 Use [`old`]({here}#old).\n</Warning>\n\nAncient.\n\nMore." in entry(
        models, "ancient"
    )
    assert f"<Warning>\nDeprecated alias of [`Options`]({here}#options).\n</Warning>" in entry(models, "Antique")
