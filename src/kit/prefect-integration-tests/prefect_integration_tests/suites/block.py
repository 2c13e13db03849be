"""What holds for every block: it registers, saves, loads, hides its secrets, is documented."""

from __future__ import annotations

import copy
import io
import pickle
import uuid
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle
import pytest

from prefect_integration_tests.blocks import SOUNDS_SECRET, construction_error, plain_values, secret_fields, values
from prefect_integration_tests.docstrings import compile_example, examples
from prefect_integration_tests.in_vain import NOWHERE, Calls, functions_of, said_by
from prefect_integration_tests.public import Package
from prefect_integration_tests.registry import registered_blocks

from .base import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.blocks.core import Block

    from prefect_integration_tests.faces import Call
    from prefect_integration_tests.leaks import LeakWatch

# pyright: reportPrivateUsage=false
# The suite looks at what Prefect itself sends to its server: block type, schema and checksum.

_IN_VAIN_SECONDS = 5
"""How long methods may try to reach somebody: long enough for the first attempts, and their errors."""

_FUNCTIONS_SECONDS = 15
_FUNCTION_SECONDS = 0.07
"""The same for all functions of a package, and what each adds: there may be four hundred."""


class BlockSuite(Suite):
    """Checks every block class of a package, found through Prefect's registry.

    Attributes:
        package: Name of the import package, such as `"prefect_shell"`.
        holding_connectors: Names of blocks that hold a connector of another package which is not equal to its own copy,
            or connects when copied: such a block is saved and loaded, and not compared or copied.
        not_secret: Names of fields, and of parameters of functions, that sound like a secret and are none, as
            `AcmeBlock.next_token`.
        plain_entries: Entries of secret dictionaries that cannot hold the canary, such as
            `"type"` of a service account's key.
        optional_modules: Dotted names of modules that cannot be imported without an extra.
        alternatives: Names of secret fields that cannot be given beside those that `make` fills.
    """

    package: ClassVar[str]
    not_secret: ClassVar[frozenset[str]] = frozenset()
    holding_connectors: ClassVar[frozenset[str]] = frozenset()
    plain_entries: ClassVar[frozenset[str]] = frozenset()
    optional_modules: ClassVar[frozenset[str]] = frozenset()
    alternatives: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def make(self, cls: type[Block], canary: str) -> Block:
        """Build a valid block with `canary` in each secret, those of nested blocks included.

        Args:
            cls: The block class; the method is called for every one of the package.
            canary: The value that the suite looks for.
        """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `block_class` once for each block of the package."""
        if "block_class" in metafunc.fixturenames:
            classes = registered_blocks(self.package)
            metafunc.parametrize("block_class", classes, ids=[cls.__name__ for cls in classes])

    def test_slugs_are_unique(self) -> None:
        """No two blocks of the package have one slug."""
        slugs = [cls.get_block_type_slug() for cls in registered_blocks(self.package)]
        assert len(slugs) == len(set(slugs)), sorted(slugs)

    # Documented

    def test_a_block_is_presented(self, block_class: type[Block]) -> None:
        """The user interface can show a logo, a description, and where to read more."""
        shown = block_class._to_block_type()  # noqa: SLF001 - what Prefect itself sends
        assert str(shown.logo_url or "").startswith("https://"), "Set `_logo_url`."
        assert str(shown.documentation_url or "").startswith("https://"), "Set `_documentation_url`."
        assert (shown.description or "").strip(), "Write a docstring."
        assert "_block_type_name" in vars(block_class), "Set `_block_type_name`."

    def test_a_block_has_an_example(self, block_class: type[Block]) -> None:
        """The docstring has an example that imports the block and loads it."""
        code = block_class.get_code_example() or ""
        doc = block_class.__doc__ or ""
        assert '.load("BLOCK_NAME")' in doc or block_class._code_example, (  # noqa: SLF001
            'Add an `Example:` to the docstring with `.load("BLOCK_NAME")`.'
        )
        assert f"{block_class.__name__}.load(" in code
        fenced = examples(code)
        assert fenced, "Put the example in a fenced block."
        for example in fenced:
            assert "import" in example.code
            compile_example(example, block_class.__name__)

    def test_fields_are_described(self, block_class: type[Block]) -> None:
        """Every field's description is a sentence that ends in a period."""
        bad = [
            name
            for name, field in block_class.model_fields.items()
            if not (field.description or "").rstrip().endswith(".")
        ]
        assert not bad, f"Describe {', '.join(bad)}."

    # Saved

    async def test_a_block_type_registers(self, block_class: type[Block], prefect_harness: None) -> None:
        """Prefect accepts the type and its schema."""
        await block_class.aregister_type_and_schema()
        assert block_class.get_block_type_slug() in (await _block_types())

    async def test_a_loaded_block_equals_the_saved(
        self, block_class: type[Block], canary: str, call: Call, prefect_harness: None
    ) -> None:
        """Saving and loading changes no value, secrets included."""
        block = self.make(block_class, canary)
        name = f"b-{uuid.uuid4().hex}"
        await call(block, "save", name)
        loaded = await call(block_class, "load", name)
        assert type(loaded) is block_class
        if block_class.__name__ in self.holding_connectors:
            return
        assert plain_values(loaded) == plain_values(self.make(block_class, canary))

    def test_the_schema_is_stable(self, block_class: type[Block], canary: str) -> None:
        """Prefect finds the schema by its checksum, so using a block must not change it."""
        before = block_class._calculate_schema_checksum()  # noqa: SLF001 - what Prefect compares
        self.make(block_class, canary)
        copy.deepcopy(block_class.model_json_schema())
        assert block_class._calculate_schema_checksum() == before  # noqa: SLF001

    # Carried

    def test_a_block_travels(self, block_class: type[Block], canary: str) -> None:
        """A block can be pickled and copied, as task runners and subflows do."""
        if block_class.__name__ in self.holding_connectors:
            pytest.skip("its connector is not equal to its own copy")
        block = self.make(block_class, canary)
        for again in (
            pickle.loads(pickle.dumps(block)),
            pickle.loads(cloudpickle.dumps(block)),
            copy.deepcopy(block),
            block.model_copy(deep=True),
        ):
            assert plain_values(again) == plain_values(block)
            assert again == block

    # Secret

    def test_secrets_have_secret_types(self, block_class: type[Block], canary: str) -> None:
        """A field that sounds like a secret is one, and `make` puts the canary into it."""
        block = self.make(block_class, canary)
        held = secret_fields(block)
        for name, field in block_class.model_fields.items():
            if not SOUNDS_SECRET.search(name) or name in self.not_secret:
                continue
            assert "Secret" in repr(field.annotation), (
                f"{name} sounds like a secret: make it a SecretStr, or name it in `not_secret`."
            )
            assert name in held or name in self.alternatives, f"`make` leaves {name} empty."
        checked = {path: value for path, value in held.items() if path.rpartition(".")[2] not in self.plain_entries}
        empty = [path for path, value in checked.items() if canary not in value]
        assert not empty, f"`make` does not put the canary into {', '.join(empty)}."

    async def test_secrets_are_not_shown(
        self,
        block_class: type[Block],
        canary: str,
        no_canary_leaks: LeakWatch,
        prefect_harness: None,
    ) -> None:
        """Rule 3: no way to print, dump, log, save or schematise a block shows a secret."""
        block = self.make(block_class, canary)
        no_canary_leaks.add("repr, str or format", f"{block!r} {block} {block:}")
        no_canary_leaks.add("model_dump", f"{block.model_dump()!r}")
        no_canary_leaks.add("model_dump_json", block.model_dump_json())
        no_canary_leaks.add("the fields", f"{dict(block)!r}")
        no_canary_leaks.add("the schema", f"{block_class.model_json_schema()!r}")
        no_canary_leaks.add("rich output", _rich(block))
        logger: Any = getattr(block, "logger", None)
        if logger is not None:
            logger.debug("Using %s and %r", block, block)
        await block.asave(f"b-{uuid.uuid4().hex}")
        no_canary_leaks.check()

    def test_a_bad_field_does_not_show_secrets(
        self, block_class: type[Block], canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: an error about one field prints no other."""
        block = self.make(block_class, canary)
        given = values(block)
        for name in given:
            lacking = {key: value for key, value in given.items() if key != name}
            for bad in ({**given, name: object()}, {**given, name: {"not": "valid"}}, lacking):
                error = construction_error(block_class, bad)
                if error is not None:
                    no_canary_leaks.add_error(error)
        no_canary_leaks.check()

    @pytest.mark.slow
    def test_methods_tell_no_secrets(
        self, block_class: type[Block], canary: str, no_canary_leaks: LeakWatch, tmp_path: Path
    ) -> None:
        """Rule 3: whatever is called, with all loggers at DEBUG and no server to be reached, no secret is said."""
        block = self.make(block_class, canary)
        said = said_by(Calls(block=block), tmp_path, seconds=_IN_VAIN_SECONDS)
        no_canary_leaks.add(f"what the methods of {block_class.__name__} say", said)
        no_canary_leaks.check()

    @pytest.mark.slow
    def test_functions_tell_no_secrets(
        self, canary: str, no_canary_leaks: LeakWatch, tmp_path: Path, prefect_harness: None
    ) -> None:
        """Rule 3: the same for functions, tasks and flows, both faces, which are given blocks with secrets.

        What is sent to Prefect is looked at, too: runs with names and states, artifacts, events.
        """
        from prefect.settings import PREFECT_API_URL

        functions = functions_of(Package(self.package, self.optional_modules))
        if not functions:
            return
        blocks = tuple(self.make(cls, canary) for cls in registered_blocks(self.package))
        calls = Calls(functions=functions, blocks=blocks, canary=canary, not_secret=self.not_secret)
        seconds = max(_FUNCTIONS_SECONDS, _FUNCTION_SECONDS * len(functions))
        api_url = PREFECT_API_URL.value() or f"{NOWHERE}/api"
        said = said_by(calls, tmp_path, seconds=seconds, api_url=api_url)
        no_canary_leaks.add(f"what the functions of {self.package} say", said)
        no_canary_leaks.check()


async def _block_types() -> set[str]:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        return {block_type.slug for block_type in await client.read_block_types()}


def _rich(value: Any) -> str:
    """Print as Prefect's command line does."""
    from rich.console import Console

    written = io.StringIO()
    Console(width=200, file=written).print(value)
    return written.getvalue()
