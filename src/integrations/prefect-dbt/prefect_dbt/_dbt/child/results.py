"""dbt's result and exception, pickled so that the parent can load them later, or never."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import pickle
import tempfile
from pathlib import Path
from typing import IO, Any, cast

_LARGEST_INLINE = 1 << 18
"""Bytes that travel over the pipe; more stays in its file."""


class _Pickler(pickle.Pickler):
    """Leaves out what cannot be pickled: locks and tables of rows with functions in them."""

    def reducer_override(self, obj: Any) -> Any:
        """Put `None` in the place of such an object."""
        if type(obj).__name__ in ("Table", "lock", "RLock") and not _is_picklable(obj):
            return type(None), ()
        return NotImplemented


def pack(result: Any, exception: BaseException | None) -> bytes | str | None:
    """Pickle what dbt gave.

    The results of nodes are pickled one by one behind the rest: what pickle remembers of thousands would be many
    megabytes.

    Returns:
        The bytes, or the name of a file with them, or nothing if they cannot be pickled.
    """
    handle, path = tempfile.mkstemp(prefix="prefect-dbt-result-", suffix=".pickle")
    try:
        with os.fdopen(handle, "wb") as file:
            if not _dump(file, result, exception):
                file.seek(0)
                file.truncate()
                _dump(file, None, exception)
        if Path(path).stat().st_size > _LARGEST_INLINE:
            return path
        content = Path(path).read_bytes()
    except OSError:
        content = b""
    with contextlib.suppress(OSError):
        Path(path).unlink()
    return content or None


def unpack(file: IO[bytes]) -> tuple[Any, tuple[Any, ...] | None]:
    """Load what `pack` wrote: the result, and the parts of the exception."""
    result, parts, count = pickle.load(file)  # noqa: S301 - from our child
    if count:
        result.results = [pickle.load(file) for _ in range(count)]  # noqa: S301 - from our child
    return result, parts


def _dump(file: IO[bytes], result: Any, exception: BaseException | None) -> bool:
    pickler = _Pickler(file, pickle.HIGHEST_PROTOCOL)
    found: Any = getattr(result, "results", None)
    each = cast("list[Any]", found) if isinstance(found, list) else []
    if each:
        result = copy.copy(result)
        result.results = []
    try:
        pickler.dump((result, _parts(exception), len(each)))
        for one in each:
            pickler.clear_memo()
            pickler.dump(one)
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - whatever says that it cannot be pickled
        return False
    return True


def _parts(exception: BaseException | None) -> tuple[Any, ...] | None:
    """An exception in parts: many of dbt's cannot be made from their `args`, which is what pickle would do."""
    if exception is None:
        return None
    kind = type(exception)
    state = {name: value for name, value in vars(exception).items() if _is_picklable(value)}
    args = tuple(arg if _is_picklable(arg) else str(arg) for arg in exception.args)
    return kind.__module__, kind.__qualname__, args, state


def _is_picklable(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever says that it cannot be pickled
        return False
    return True


def load_bytes(content: bytes) -> tuple[Any, tuple[Any, ...] | None]:
    """Load what `pack` gave as bytes."""
    return unpack(io.BytesIO(content))
