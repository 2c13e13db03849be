"""Pickles of what travels to another process that runs a task."""

# cloudpickle is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import copyreg
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


def let_travel(error: BaseException) -> None:
    """See to it that an error arrives in another process as what it is, though its class does not provide for it.

    Python makes an error again by calling its class with `args`: where `__init__` wants other arguments, that fails at
    the other end. Such errors, and those that hold what cannot be pickled, are made again without their `__init__`, and
    with what of them can be pickled. Their class is pickled so for good in this process.

    Args:
        error: What a task has raised.
    """
    if not _arrives(error):
        copyreg.pickle(type(error), _taken_apart)  # type: ignore[arg-type]


def _arrives(value: Any) -> bool:
    try:
        made = cloudpickle.loads(dumps(value))
    except Exception:  # noqa: BLE001 - a class may raise anything
        return False
    return type(made) is type(value)


def _taken_apart(error: BaseException) -> tuple[Any, ...]:
    kind = type(error)
    args = cast("tuple[Any, ...]", _builtin(kind).__reduce__(error)[1])
    members = {name: each for name, each in vars(error).items() if _arrives(each)}
    return _made_again, (kind, tuple(each if _arrives(each) else str(each) for each in args), members)


def _made_again(kind: type[BaseException], args: tuple[Any, ...], members: dict[str, Any]) -> BaseException:
    own = _builtin(kind)
    error: BaseException = own.__new__(kind, *args)
    own.__init__(error, *args)
    vars(error).update(members)
    return error


def _builtin(kind: type[BaseException]) -> Any:
    """The class of Python's own that a class of errors is made of."""
    return next(each for each in kind.__mro__ if each.__module__ == "builtins")


def _without_function(flow: Flow[..., Any]) -> Flow[..., Any]:
    bare = copy.copy(flow)
    bare.fn = _stayed_behind
    vars(bare).pop("__wrapped__", None)
    return bare


def _stayed_behind(*_: Any, **__: Any) -> None:
    raise RuntimeError("The function of this flow could not be pickled, and stayed with the flow run.")
