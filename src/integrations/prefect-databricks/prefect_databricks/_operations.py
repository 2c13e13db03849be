"""Requests of the API of jobs: what the tasks are given is checked, written as JSON, and sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ._http import call
from .errors import DatabricksBadRequest
from .models._model import READING
from .rest import HTTPMethod

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from .credentials import DatabricksCredentials

__all__ = ["ApiVersion", "Operation", "Token", "perform"]

ApiVersion: TypeAlias = "Literal['2.1', '2.2']"
"""Version of the API of jobs."""

Token = Annotated[str, Field(max_length=64)]
"""Token by which a request is known when it comes again."""

_VERSION = re.compile(r"[0-9]+\.[0-9]+")

# Keys that other parts of a request refer to. Databricks takes defaults from policies for much else that is missing.
_NEEDED = frozenset({"task_key", "job_cluster_key", "environment_key"})


@dataclass(frozen=True)
class Operation:
    """An operation of the API.

    Attributes:
        name: Name of the task.
        method: Method of the request.
        path: What follows the version in the address.
        arguments: Type of each argument, by name.
        version: Version of the API, unless the caller chooses one.
        required: Arguments that Databricks insists on.
        exclusive: Arguments of which only one may be given.
        one_of: Arguments of which one must be given.
    """

    name: str
    method: HTTPMethod
    path: str
    arguments: Mapping[str, Any]
    version: str = "2.1"
    required: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()


async def perform(
    operation: Operation,
    credentials: DatabricksCredentials,
    arguments: Mapping[str, Any],
    fields: Mapping[str, Any],
    api_version: str | None = None,
) -> dict[str, Any]:
    """Send a request, and give the answer.

    Args:
        operation: What to do.
        credentials: Who asks, and which workspace.
        arguments: Values of the operation's arguments; those that are `None` are not sent.
        fields: Further ones that the operation does not know.
        api_version: Version of the API, where there are several.

    Raises:
        DatabricksError: If an argument is wrong, or Databricks does not answer with success.
    """
    given = {name: value for name, value in {**arguments, **fields}.items() if value is not None}
    sent: dict[str, Any] = {name: _written(operation, name, value) for name, value in given.items()}
    _check(operation, sent)
    if "page_token" in sent:
        sent.pop("offset", None)  # Databricks takes one of them
    version = api_version or operation.version
    if not _VERSION.fullmatch(version):
        raise DatabricksBadRequest(f"{operation.name}: `api_version` is {version!r}, which is none. Give 2.1 or 2.2.")
    endpoint = f"/{version}/{operation.path}"
    where = "params" if operation.method is HTTPMethod.GET else "json"
    return await call(credentials, _subject(operation, sent), operation.method.value, endpoint, **{where: sent})


def to_json(value: Any) -> Any:
    """Write a value as JSON has it: of models what was set, of enumerations the value, and nothing that is `None`.

    Args:
        value: A model, or a value that may hold some.

    Raises:
        PydanticSerializationError: If JSON has nothing for it.
    """
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        if "root" in fields:
            return to_json(cast("Any", value).root)
        return to_json(value.model_dump(by_alias=True, exclude_unset=True))
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return {str(key): to_json(each) for key, each in members.items() if each is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(each) for each in cast("list[Any]", value)]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Enum):
        return to_json(value.value)
    # Dates, UUIDs and paths become text.
    return value if value is None or isinstance(value, (str, int, float)) else to_jsonable_python(value)


def _written(operation: Operation, name: str, value: Any) -> Any:
    try:
        return to_json(value)
    except PydanticSerializationError as exc:
        raise DatabricksBadRequest(f"{operation.name}: `{name}` cannot be written as JSON. {exc}") from exc


def _subject(operation: Operation, sent: Mapping[str, Any]) -> str:
    about = next((f" ({name} {sent[name]})" for name in ("run_id", "job_id") if name in sent), "")
    return f"{operation.name}{about}"


def _check(operation: Operation, sent: Mapping[str, Any]) -> None:
    """Refuse what Databricks would refuse, naming the field. It is what is sent: a model may be of a related type."""
    for name in operation.required:
        if name not in sent:
            raise DatabricksBadRequest(f"{operation.name}: `{name}` is required.")
    for names in operation.one_of:
        if not any(name in sent for name in names):
            listed = " or ".join(f"`{name}`" for name in names)
            raise DatabricksBadRequest(f"{operation.name}: {listed} is required.")
    for names in operation.exclusive:
        set_ones = [f"`{name}`" for name in names if sent.get(name)]
        if len(set_ones) > 1:
            raise DatabricksBadRequest(f"{operation.name}: {' and '.join(set_ones)} exclude each other; give one.")
    for name, value in sent.items():
        kind = operation.arguments.get(name)
        if kind is not None and (fault := _fault(name, kind, value)):
            raise DatabricksBadRequest(f"{operation.name}: {fault}")
    _check_keys(operation, sent)


def _check_keys(operation: Operation, sent: Mapping[str, Any]) -> None:
    """Refuse keys that are there twice: Databricks would, too, but without saying which."""
    for name, key in (("tasks", "task_key"), ("job_clusters", "job_cluster_key"), ("environments", "environment_key")):
        seen: set[Any] = set()
        for index, each in enumerate(sent.get(name, ()) if name in operation.arguments else ()):
            found = each.get(key)
            if found in seen:
                raise DatabricksBadRequest(f"{operation.name}: `{name}[{index}].{key}` is {found!r} a second time.")
            seen.add(found)


def _fault(name: str, kind: Any, value: Any) -> str | None:
    """Say what is wrong with an argument, if anything is."""
    try:
        # Unknown choices pass: Databricks may have added some, and says which it takes.
        _adapter(kind).validate_python(value, context=READING)
    except ValidationError as exc:
        faults = [fault for fault in exc.errors(include_url=False, include_input=False) if _counts(fault)]
        return "; ".join(f"`{_located(name, fault['loc'])}`: {fault['msg']}" for fault in faults[:5]) or None
    return None


def _counts(fault: ErrorDetails) -> bool:
    return fault["type"] != "missing" or fault["loc"][-1] in _NEEDED


def _located(name: str, location: tuple[int | str, ...]) -> str:
    return name + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


@lru_cache(maxsize=128)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Build what checks a type, when it is first needed."""
    has_own_config = isinstance(kind, type) and issubclass(kind, BaseModel)
    config = None if has_own_config else ConfigDict(coerce_numbers_to_str=True)
    return TypeAdapter(cast("Any", kind), config=config)
