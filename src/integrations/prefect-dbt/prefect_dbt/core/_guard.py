"""Keep faults of our bookkeeping away from dbt's run."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log


class Guard:
    """Logs what goes wrong, once for each kind, and lets the work go on."""

    def __init__(self, logger: Log) -> None:
        """Log to `logger`."""
        self._logger = logger
        self._seen: set[tuple[str, type[BaseException]]] = set()

    @contextmanager
    def __call__(self, doing: str) -> Generator[None, None, None]:
        """Run a block of which no exception may come out; what ends a thread, as SIGTERM, still does.

        Args:
            doing: What the block does, for the log: `recording the end of a node`.
        """
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - whatever it is, dbt's run comes first
            kind = (doing, type(exc))
            if kind in self._seen:
                return
            self._seen.add(kind)
            try:
                self._logger.warning(
                    "Prefect could not go on with %s: %r. dbt is not affected; this is said once.",
                    doing,
                    exc,
                    exc_info=self._logger.isEnabledFor(logging.DEBUG),
                )
            except Exception:  # noqa: BLE001 - a log handler that fails, too
                return
