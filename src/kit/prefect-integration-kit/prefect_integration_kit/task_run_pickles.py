"""Pickles of what travels to another process that runs a task."""

# cloudpickle is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import cloudpickle
from prefect.utilities.annotations import BaseAnnotation

if TYPE_CHECKING:
    from prefect import Flow


class _Pickler(cloudpickle.Pickler):
    """Pickles Prefect's annotations, such as `quote`, too; by themselves they come back with a tuple inside."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseAnnotation):
            annotation = cast("BaseAnnotation[Any]", obj)
            return type(annotation), (annotation.unwrap(),)
        return cast("Any", super().reducer_override(obj))


def dumps(value: Any) -> bytes:
    """Pickle a value; functions and classes of the script travel by value.

    Args:
        value: Anything.

    Raises:
        Exception: Whatever the value's own pickling raises.
    """
    with BytesIO() as file:
        _Pickler(file).dump(value)
        return file.getvalue()


def dumps_context(context: dict[str, Any]) -> bytes:
    """Pickle a serialized context; the flow goes without its function if that cannot be pickled.

    Tasks need what the flow is called and how it is set up. Its function often holds on to clients and clusters.

    Args:
        context: As `prefect.context.serialize_context` makes it.
    """
    try:
        return dumps(context)
    except Exception:
        run: dict[str, Any] = context.get("flow_run_context") or {}
        if "flow" not in run:
            raise
        return dumps({**context, "flow_run_context": {**run, "flow": _without_function(run["flow"])}})


def _without_function(flow: Flow[..., Any]) -> Flow[..., Any]:
    bare = copy.copy(flow)
    bare.fn = _stayed_behind
    vars(bare).pop("__wrapped__", None)
    return bare


def _stayed_behind(*_: Any, **__: Any) -> None:
    raise RuntimeError("The function of this flow could not be pickled, and stayed with the flow run.")
