"""Options of Ray's remote functions: checked early, and applied to ours."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import difflib
import re
import threading
from typing import Any

from .errors import RayConfigurationError

_DECORATOR_ONLY = ("max_calls",)
"""Options that Ray takes where a remote function is made, and not where it is called."""

_functions: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def check(options: dict[str, Any]) -> None:
    """Refuse options that Ray would refuse.

    Args:
        options: Keyword arguments of `ray.remote`.

    Raises:
        RayConfigurationError: If there is one.
    """
    remote_function(options)


def remote_function(options: dict[str, Any]) -> Any:
    """Make the remote function that runs task runs.

    Args:
        options: Keyword arguments of `ray.remote`.

    Raises:
        RayConfigurationError: If Ray does not know one of them, or its value cannot be.
    """
    if options.get("num_returns", 1) != 1:
        raise RayConfigurationError(
            "Remote option `num_returns` must be left out: a task run has one final state. Return a list instead."
        )
    made = {name: options[name] for name in _DECORATOR_ONLY if name in options}
    called = {name: value for name, value in options.items() if name not in made}
    try:
        function = _base(made)
        return function.options(**{"max_retries": 0, **called})
    except (ValueError, TypeError) as exc:
        raise RayConfigurationError(f"These remote options cannot work: {_explained(exc)}") from exc


def _base(options: dict[str, Any]) -> Any:
    """Make a remote function, once for equal options: Ray sends each new one to every worker."""
    import ray

    from ._worker import run_order

    key = tuple(sorted(options.items()))
    with _lock:
        if key not in _functions:
            _functions[key] = ray.remote(**options)(run_order) if options else ray.remote(run_order)
        return _functions[key]


def _explained(exc: Exception) -> str:
    text = str(exc)
    found = re.search(r"Invalid option keyword (\w+)", text)
    if found is None:
        return text
    known = re.findall(r"'([a-z]\w*)'", text)
    close = difflib.get_close_matches(found[1], known, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else f" Ray knows {', '.join(sorted(known))}."
    return f"Ray knows no option `{found[1]}`.{hint}"
