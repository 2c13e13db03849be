"""Blocks that register and save quickly.

Prefect finds a block class by a key, which it takes from the class's complete JSON schema: 15 to 30 ms for each class,
at import. The key is only the slug of the block type, which is known without a schema.

It also makes that schema anew for each field that it saves, to see whether the field is a secret. We keep what it made.

And pydantic completes each class when it is defined, with a validator and a serializer: a millisecond for each, though
a flow run uses few of the blocks that it imports. We have it do so when a class is used the first time.

A block may have been pickled by a release that had fewer fields: within a flow, or a result that was kept. What it
lacks gets its default.
"""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any, Literal, cast
from weakref import WeakKeyDictionary

import pydantic.main
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from prefect_integration_kit.live_blocks import LiveBlock

if TYPE_CHECKING:
    from prefect.blocks.core import Block
    from pydantic.fields import ModelPrivateAttr

# By class: the core schema that a JSON schema was made from, and the made ones, pickled. To unpickle is much quicker
# than a deep copy, and callers change what they get.
_made: WeakKeyDictionary[type, tuple[object, dict[tuple[object, ...], bytes]]] = WeakKeyDictionary()


class QuickKey:
    """A base to name before Prefect's own: `class AcmeCredentials(QuickKey, CredentialsBlock)`."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        return cast("type[Block]", cls).get_block_type_slug()


def _model_json_schema(
    cls: Any,
    by_alias: bool = True,
    ref_template: str = "#/definitions/{model}",
    schema_generator: type[GenerateJsonSchema] = GenerateJsonSchema,
    mode: Literal["validation", "serialization"] = "validation",
) -> dict[str, Any]:
    """Prefect's own, made once for each class and set of arguments; what is returned is the caller's."""
    core_schema = getattr(cls, "__pydantic_core_schema__", None)
    known_core, known = _made.get(cls, (None, {}))
    if known_core is not core_schema:  # the class was rebuilt
        known = {}
    key = (by_alias, ref_template, schema_generator, mode)
    if key in known:
        return pickle.loads(known[key])  # noqa: S301 - we pickled it
    block = cast("type[Block]", super(QuickKey, cls))
    schema = block.model_json_schema(by_alias, ref_template, schema_generator, mode)
    # Making a schema may complete the class, so that the core schema is another one now.
    _made[cls] = (getattr(cls, "__pydantic_core_schema__", None), {**known, key: pickle.dumps(schema)})
    return schema


# Not in the class's body, from where the reference of each package would list it as a method of each block.
QuickKey.model_json_schema = classmethod(_model_json_schema)  # pyright: ignore[reportAttributeAccessIssue]


def _complete(model: BaseModel) -> bool:
    """Give a model that was unpickled the defaults of what it lacks.

    Args:
        model: A model, maybe pickled by a release of its class that had fewer fields or private attributes.

    Returns:
        Whether it lacked private attributes.
    """
    kind = type(model)
    for name, field in kind.model_fields.items():
        if name not in vars(model) and not field.is_required():
            vars(model)[name] = field.get_default(call_default_factory=True)
    private: dict[str, Any] = model.__pydantic_private__ or {}
    lacking = {
        name: default
        for name, attribute in kind.__private_attributes__.items()
        if name not in private and (default := _default_of(attribute)) is not PydanticUndefined
    }
    if lacking:
        object.__setattr__(model, "__pydantic_private__", {**private, **lacking})
    return bool(lacking)


def _default_of(attribute: ModelPrivateAttr) -> Any:
    """The default of a private attribute; releases of pydantic differ in whether theirs asks its factory."""
    factory: Any = attribute.default_factory
    return copy.deepcopy(attribute.default) if factory is None else factory()


def _set_state(self: Any, state: dict[Any, Any]) -> None:
    """Pydantic's own, and what the state lacks; what `block_initialization` prepares is prepared then."""
    if "__dict__" not in state:  # earlier releases of some blocks pickled names and values only
        known = cast("type[Block]", type(self)).model_fields
        fields = {name: state[name] for name in known if name in state}
        state = {"__dict__": fields, "__pydantic_fields_set__": set(fields)}
    cast("Block", super(QuickKey, self)).__setstate__(state)
    if _complete(self) and not isinstance(self, LiveBlock):  # which prepares itself in any case
        self.block_initialization()


QuickKey.__setstate__ = _set_state  # pyright: ignore[reportAttributeAccessIssue] - as above

# Older releases of pydantic complete a class without a lock, so that two threads that use it first can get in each
# other's way.
if hasattr(pydantic.main, "_rebuild_lock"):
    QuickKey.model_config = ConfigDict(defer_build=True)  # pyright: ignore[reportAttributeAccessIssue]
