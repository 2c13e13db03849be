"""What the methods of `SnowflakeConnector` that stand in modules of their own need of it."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

    from prefect_integration_kit.sql import Statement

    from ._running import Surroundings


class StatementSession:
    """Executes statements in one session."""

    @abstractmethod
    def _surroundings(self) -> Surroundings: ...

    @abstractmethod
    def _executed(
        self, statement: Statement, stop: threading.Event, surroundings: Surroundings, *, wants_rows: bool = True
    ) -> SnowflakeCursor: ...
