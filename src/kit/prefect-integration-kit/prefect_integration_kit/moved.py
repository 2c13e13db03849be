"""Old import paths that go on working, and say where things are now."""

from __future__ import annotations

import inspect
import warnings


def warn_moved(old: str, new: str) -> None:
    """Warn whoever imports the calling module that it has moved.

    Nobody is warned when the interpreter itself runs the module or one below it (`python -m`): such command lines are
    stored in work pools, Prefect writes them, and they must run with `-W error` too.

    Args:
        old: The module that calls, at its top level.
        new: The module to use.
    """
    frame, module = inspect.currentframe(), __name__
    frame = frame.f_back if frame else None  # of the module that has moved
    while frame is not None and (frame := frame.f_back) is not None:
        module = str(frame.f_globals.get("__name__"))
        if not module.startswith("importlib."):
            break
    if module == "runpy":
        return
    warnings.warn(
        f"`{old}` has moved to `{new}`; the old path will go in a later release. Import from `{new}`.",
        DeprecationWarning,
        stacklevel=3,
    )
