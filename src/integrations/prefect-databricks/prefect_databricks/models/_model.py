"""What the generated models have in common.

A model that is made in code (`NewCluster(...)`) has its choices checked, so that a slip is told at once and by field.
One that is read from an answer (`Run.model_validate(answer)`) takes any choice, since Databricks adds some from time to
time. Both keep fields that they do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, RootModel, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

__all__ = ["READING", "AnyCase", "Model", "Open", "OpenEnum", "Root", "TypedList"]

T = TypeVar("T")

READING: Mapping[str, Any] = {"prefect_databricks": "reading"}
"""Context of a validation in which choices that are not known are taken."""


def _is_reading(info: ValidationInfo) -> bool:
    context: Any = info.context
    return isinstance(context, Mapping) and "prefect_databricks" in context


def _read(cls: type[Model], obj: Any, *, context: Any = None, **options: Any) -> BaseModel:
    """Read an answer of Databricks, or a part of one.

    Args:
        cls: The model.
        obj: A dictionary.
        context: As pydantic has it; by default choices are taken that the model does not know.
        options: Further options of `pydantic.BaseModel.model_validate`.
    """
    return super(Model, cls).model_validate(obj, context=READING if context is None else context, **options)


def _read_json(cls: type[Model], json_data: Any, *, context: Any = None, **options: Any) -> BaseModel:
    """Read an answer of Databricks as it was sent.

    Args:
        cls: The model.
        json_data: JSON.
        context: As pydantic has it; by default choices are taken that the model does not know.
        options: Further options of `pydantic.BaseModel.model_validate_json`.
    """
    return super(Model, cls).model_validate_json(json_data, context=READING if context is None else context, **options)


class Model(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # clusters have environment variables and passwords of registries
        defer_build=True,
    )

    if not TYPE_CHECKING:  # pydantic's own signatures are the truth; these differ by the default of `context`
        model_validate = classmethod(_read)
        model_validate_json = classmethod(_read_json)


class Root(RootModel[T], Generic[T]):
    """A value of the API that is a model of its own."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class _Choices:
    """Marks choices to which Databricks may add others."""

    def __init__(self, *, any_case: bool = False) -> None:
        """Mark choices.

        Args:
            any_case: Whether `github` means the choice `gitHub`.
        """
        self.any_case = any_case

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Build the validation: of the choices, or of any text while reading."""
        spelled = {choice.casefold(): choice for choice in get_args(source)} if self.any_case else {}

        def validate(value: Any, check: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            if isinstance(value, str) and spelled:
                value = spelled.get(value.casefold(), value)
            try:
                return check(value)
            except ValidationError:
                if isinstance(value, str) and _is_reading(info):
                    return value
                raise

        return core_schema.with_info_wrap_validator_function(
            validate,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_as_it_is),
        )


Open = Annotated[T, _Choices()]
"""Choices to which Databricks may add others."""

AnyCase = Annotated[T, _Choices(any_case=True)]
"""The same, where Databricks does not care for upper and lower case."""


def _as_it_is(value: Any) -> Any:
    return value


class OpenEnum(str, Enum):
    """Choices to which Databricks may add others: a text that is none of them makes a member of its own.

    Such a member has the text as its name and value, and equals another of the same text.
    """

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = str(value)
        return member

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle by value: a member that is not known cannot be found by name."""
        return type(self), (self._value_,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Build the validation: of the choices, or of any text while reading."""

        def validate(value: OpenEnum, info: ValidationInfo) -> OpenEnum:
            if value.value in cls._value2member_map_ or _is_reading(info):
                return value
            choices = ", ".join(repr(each.value) for each in cls)
            raise PydanticCustomError("enum", "Input should be one of {expected}", {"expected": choices})

        return core_schema.with_info_after_validator_function(validate, handler(source))


class TypedList(list[Any]):
    """A list of the API that is a type of its own; its items may be given as dictionaries.

    Attributes:
        item: Type of the items.
    """

    item: Any = Any

    def __init__(self, items: Iterable[Any] = (), /) -> None:
        """Hold items."""
        super().__init__(items)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Build the validation: a list of items, which becomes one of this type."""
        return core_schema.no_info_after_validator_function(cls, core_schema.list_schema(handler(cls.item)))
