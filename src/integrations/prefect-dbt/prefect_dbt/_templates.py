"""References to Prefect's blocks and variables in YAML, `{{ prefect.blocks... }}` and `{{ prefect.variables... }}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .errors import DbtProfileError
from .utilities import env_var_call, env_var_name

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import BlockDocument

SECRET_PREFIX = "DBT_ENV_SECRET_"  # noqa: S105 - a prefix of names

_BLOCK = "prefect.blocks."
_VARIABLE = "prefect.variables."
_ANY = re.compile(r"prefect\.(?:blocks|variables)\.")
# As in Prefect (`prefect.utilities.templating`), with names as its blocks and variables may have.
_PLACEHOLDER = re.compile(r"{{\s*(prefect\.(?:blocks|variables)\.[\w\.\-\[\]$]+)\s*}}")
_TOO_COMPLEX = re.compile(r"{[{%][^}]*prefect\.(?:blocks|variables)\.[^}]*}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
# Linux refuses a longer variable (MAX_ARG_STRLEN in linux/binfmts.h).
LONGEST_VARIABLE = 128 * 1024 - 256
# Variables may hold references, but not for ever.
_MAX_DEPTH = 10


@dataclass(frozen=True)
class Missing:
    """A reference that leads nowhere, where it stands, and why."""

    placeholder: str
    keys: tuple[Any, ...]
    problem: str
    refusal: str
    """Template text that dbt refuses to render, saying why."""

    @property
    def where(self) -> str:
        """The keys on the way to it."""
        return ".".join(map(str, self.keys))


class _Unresolved(Exception):
    """A reference leads nowhere."""


@dataclass(frozen=True)
class _Value:
    """A value of a block, how it was reached, and which of the block's fields are secret."""

    content: Any
    steps: tuple[str, ...]
    secret_fields: tuple[str, ...]

    def __getitem__(self, step: Any) -> _Value:
        return _Value(self.content[step], (*self.steps, str(step)), self.secret_fields)

    @property
    def secret(self) -> bool:
        """Whether the schema of the block calls it, or what it is part of, secret."""
        return any(self._is_within(pattern.split(".")) for pattern in self.secret_fields)

    def _is_within(self, parts: list[str]) -> bool:
        return len(parts) <= len(self.steps) and all(
            part in ("*", step) for part, step in zip(parts, self.steps, strict=False)
        )


def has_templates(text: str) -> bool:
    """Say whether a text refers to blocks or variables of Prefect at all."""
    return ("{{" in text or "{%" in text) and _ANY.search(text) is not None


class Resolver:
    """Fills in the references of one file.

    Args:
        client: Where blocks and variables are read.
        path: The file, for messages.
    """

    def __init__(self, client: PrefectClient, path: Path) -> None:
        self.env: dict[str, str] = {}
        self.missing: list[Missing] = []
        self.result: Any = None
        self._client = client
        self._path = path
        self._documents: dict[tuple[str, str], BlockDocument | None] = {}
        self._variables: dict[str, Any] = {}

    async def resolve(self, value: Any, keys: tuple[Any, ...] = ()) -> Any:
        """Fill in all references below a value.

        Strings that come from blocks become calls of `env_var()`, whose values `env` holds. A reference that leads
        nowhere becomes such a call, too: its name says what is missing, and dbt refuses it when it is used.
        """
        if isinstance(value, dict):
            items = cast("dict[Any, Any]", value).items()
            return {key: await self.resolve(item, (*keys, key)) for key, item in items}
        if isinstance(value, list):
            return [await self.resolve(item, (*keys, n)) for n, item in enumerate(cast("list[Any]", value))]
        if not isinstance(value, str) or not has_templates(value):
            return value
        try:
            return await self._resolve_text(value, keys)
        except _Unresolved as error:
            placeholder, problem = error.args
            said = re.sub(r"[{}'\\\n]+", " ", f"{placeholder}: {problem} ({self._path})").strip()
            self.missing.append(Missing(placeholder, keys, problem, env_var_call(said)))
            return self.missing[-1].refusal

    async def _resolve_text(self, text: str, keys: tuple[Any, ...]) -> Any:
        resolved = await self._with_variables(text, keys)
        if not isinstance(resolved, str):
            return resolved
        found = [(match.group(0), match.group(1)) for match in _PLACEHOLDER.finditer(resolved)]
        if not found:
            self._refuse_expressions(resolved)
            return resolved
        values = {whole: await self._block_value(whole, name) for whole, name in found}
        if len(found) == 1 and found[0][0] == resolved.strip():
            return self._placed(values[found[0][0]], found[0][1])
        return self._inlined(resolved, values, keys)

    async def _with_variables(self, text: str, keys: tuple[Any, ...]) -> Any:
        """Fill in variables, the innermost first, so that they may stand in the name of a block."""
        for _ in range(_MAX_DEPTH):
            names = [(m.group(0), m.group(1)) for m in _PLACEHOLDER.finditer(text) if m.group(1).startswith(_VARIABLE)]
            if not names:
                return text
            for whole, name in names:
                value = await self._variable(whole, name)
                if text.strip() == whole:
                    if not isinstance(value, str):
                        return await self.resolve(value, keys)
                    text = value
                elif isinstance(value, dict | list):
                    kind = type(cast("Any", value)).__name__
                    raise _Unresolved(whole, f"the variable is a {kind}, which cannot stand within text")
                else:
                    text = text.replace(whole, str(value))
        raise _Unresolved(text, "variables that refer to each other without end")

    async def _variable(self, whole: str, placeholder: str) -> Any:
        name = placeholder.removeprefix(_VARIABLE)
        if name not in self._variables:
            variable = await self._client.read_variable_by_name(name)
            if variable is None:
                raise _Unresolved(whole, f"there is no variable {name!r} in this workspace")
            self._variables[name] = variable.value
        return self._variables[name]

    async def _block_value(self, whole: str, placeholder: str) -> _Value:
        slug, _, rest = placeholder.removeprefix(_BLOCK).partition(".")
        name, _, path = rest.partition(".")
        if not slug or not name:
            raise _Unresolved(whole, "a reference is written prefect.blocks.TYPE-SLUG.BLOCK-NAME.FIELD")
        document = await self._document(slug, name)
        if document is None:
            raise _Unresolved(whole, f"there is no block {name!r} of type {slug!r} in this workspace")
        steps = [step or int(index) for step, index in _STEP.findall(path)]
        if len(document.data) == 1 and "value" in document.data and steps[:1] != ["value"]:
            steps.insert(0, "value")
        value = _Value(document.data, (), _secret_fields(document))
        try:
            for step in steps:
                value = value[step]
        except (KeyError, IndexError, TypeError):
            there: Any = value.content
            fields = list(cast("dict[Any, Any]", there)) if isinstance(there, dict) else []
            has = f"it has {', '.join(map(str, fields))}" if fields else "nothing is below that"
            raise _Unresolved(whole, f"the block {slug}/{name} has no {path!r}: {has}") from None
        return value

    async def _document(self, slug: str, name: str) -> BlockDocument | None:
        from prefect.exceptions import ObjectNotFound

        if (slug, name) not in self._documents:
            try:
                found = await self._client.read_block_document_by_name(name=name, block_type_slug=slug)
            except ObjectNotFound:
                found = None
            self._documents[slug, name] = found
        return self._documents[slug, name]

    def _placed(self, value: _Value, placeholder: str) -> Any:
        """Put a block's value in the place of its reference: text by the environment, structures leaf by leaf."""
        content: Any = value.content
        if isinstance(content, dict):
            keys = list(cast("dict[Any, Any]", content))
            return {key: self._placed(value[key], f"{placeholder}.{key}") for key in keys}
        if isinstance(content, list):
            count = len(cast("list[Any]", content))
            return [self._placed(value[n], f"{placeholder}[{n}]") for n in range(count)]
        return self._call(placeholder, content, value.secret) if isinstance(content, str) else content

    def _inlined(self, text: str, values: dict[str, _Value], keys: tuple[Any, ...]) -> str:
        for whole, found in values.items():
            if isinstance(found.content, dict | list):
                kind = type(cast("Any", found.content)).__name__
                raise _Unresolved(
                    whole, f"the value is a {kind}, which cannot stand within text; name one of its fields"
                )
        rest = _PLACEHOLDER.sub("", text)
        self._refuse_expressions(rest)
        if "{{" in rest or "{%" in rest:
            # dbt fills in only one secret of a text (SecretRenderer.render_value).
            secrets = sum(found.secret for found in values.values()) == 1
            for whole, found in values.items():
                name = whole.strip("{} \t\n")
                text = text.replace(whole, self._call(name, str(found.content), found.secret and secrets))
            return text
        for whole, found in values.items():
            text = text.replace(whole, str(found.content))
        return self._call(".".join(map(str, keys)), text, any(found.secret for found in values.values()))

    def _call(self, name: str, value: str, secret: bool) -> str:
        """Let dbt read a value from its environment; two values of one name get names of their own."""
        if "\0" in value:
            raise _Unresolved(name, "the value holds a NUL character")
        if len(value.encode()) > LONGEST_VARIABLE:
            return f"{{% raw %}}{value}{{% endraw %}}"
        variable = (SECRET_PREFIX if secret else "") + env_var_name(name)
        while self.env.get(variable, value) != value:
            variable += "_"
        self.env[variable] = value
        return env_var_call(variable)

    def _refuse_expressions(self, text: str) -> None:
        """Only plain references are filled in: dbt would say no more than that `prefect` is undefined."""
        if found := _TOO_COMPLEX.search(text):
            raise DbtProfileError(
                f"{self._path}: {found.group(0)} cannot be resolved. A reference to a block or variable stands alone "
                "between its braces, without filters or operators."
            )


def _secret_fields(document: BlockDocument) -> tuple[str, ...]:
    schema = document.block_schema
    fields: Any = schema.fields.get("secret_fields", []) if schema else []
    return tuple(cast("list[str]", fields))
