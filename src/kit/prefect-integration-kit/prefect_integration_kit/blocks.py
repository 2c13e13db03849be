"""Blocks that register and save quickly.

Prefect finds a block class by a key, which it takes from the class's complete JSON schema: 15 to 30 ms for each class,
at import. The key is only the slug of the block type, which is known without a schema.

It also makes that schema anew for each field that it saves, to see whether the field is a secret. We keep what it made.

And pydantic completes each class when it is defined, with a validator and a serializer: a millisecond for each, though
a flow run uses few of the blocks that it imports. We have it do so when a class is used the first time.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Literal, cast
from weakref import WeakKeyDictionary

import pydantic.main
from pydantic import ConfigDict
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from prefect.blocks.core import Block

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

# Older releases of pydantic complete a class without a lock, so that two threads that use it first can get in each
# other's way.
if hasattr(pydantic.main, "_rebuild_lock"):
    QuickKey.model_config = ConfigDict(defer_build=True)  # pyright: ignore[reportAttributeAccessIssue]
