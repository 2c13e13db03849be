"""What kind of class it is, by what it inherits from: a model, settings, a block, a worker."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from prefect_integration_docs.library import Library
from prefect_integration_docs.model import Class

_MODELS = frozenset({"pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.RootModel"})
_SETTINGS = frozenset({"pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings"})
_TUPLES = frozenset({"typing.NamedTuple", "typing_extensions.NamedTuple"})
_DICTS = frozenset({"typing.TypedDict", "typing_extensions.TypedDict"})
_ENUMS = frozenset({f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")}) | {
    "prefect.types.AutoEnum",
    "prefect.utilities.collections.AutoEnum",
}
_DATACLASSES = frozenset({"dataclasses.dataclass", "dataclass", "pydantic.dataclasses.dataclass"})
_BLOCK = frozenset({"prefect.blocks.core.Block"})
_WORKER = frozenset({"prefect.workers.base.BaseWorker"})
_ENV_PREFIX = re.compile(r"env_prefix['\"]?\s*[=:]\s*(?P<text>'[^']*'|\"[^\"]*\")")
_SETTINGS_PATH = re.compile(r"^(?:[\w.]*\.)?build_settings_config\((?P<path>\([^()]*\))")


@dataclass(frozen=True)
class Kind:
    """What a class is.

    Attributes:
        has_fields: Whether its annotated attributes are fields.
        is_settings: Whether its fields are read from environment variables.
        is_enum: Whether its unannotated attributes are members.
        is_block: Whether it is a Prefect block.
        is_worker: Whether it is a Prefect worker.
    """

    has_fields: bool
    is_settings: bool
    is_enum: bool
    is_block: bool
    is_worker: bool


def kind_of(owner: Class, lineage: list[str]) -> Kind:
    """Tell what kind of class it is.

    Args:
        owner: The class.
        lineage: It and what it inherits from, by dotted path.
    """
    above = frozenset(lineage)
    is_settings = bool(above & _SETTINGS)
    return Kind(
        has_fields=is_dataclass(owner) or is_settings or bool(above & (_MODELS | _TUPLES | _DICTS)),
        is_settings=is_settings,
        is_enum=bool(above & _ENUMS),
        is_block=bool(above & _BLOCK) and bool(set(lineage[1:])),
        is_worker=bool(above & _WORKER),
    )


def is_dataclass(owner: Class) -> bool:
    """Whether a decorator makes the class a dataclass."""
    return bool(_DATACLASSES & frozenset(owner["decorators"]))


def environment_prefix(library: Library, lineage: list[str]) -> str | None:
    """Find the prefix of the environment variables of a settings class, its own before that of its bases."""
    for path in lineage:
        found = library.class_of(path)
        config = found[1]["values"].get("model_config") if found is not None else None
        if config is None:
            continue
        if (match := _SETTINGS_PATH.match(config)) is not None:
            parts: tuple[str, ...] = ast.literal_eval(match["path"])
            return f"PREFECT_{'_'.join((*parts, '')).upper()}"
        if (match := _ENV_PREFIX.search(config)) is not None:
            return str(ast.literal_eval(match["text"]))
    return None


def text_value(library: Library, lineage: list[str], name: str) -> str | None:
    """Find the text that a class or one of its bases assigns to a name; None if there is none or it is computed."""
    value = raw_value(library, lineage, name)
    if value is None:
        return None
    try:
        text: object = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return None
    return text if isinstance(text, str) else None


def raw_value(library: Library, lineage: list[str], name: str) -> str | None:
    """Find what a class or one of its bases assigns to a name, as the source or the dotted path that it is."""
    for path in lineage:
        found = library.class_of(path)
        if found is not None and name in found[1]["values"]:
            return found[1]["values"][name]
    return None
