"""How an invocation ended."""

from __future__ import annotations

import contextlib
import importlib
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DbtError, DbtProcessDied
from .child.results import load_bytes, unpack
from .events import NodeResult

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult


class _Payload:
    """What dbt gave, pickled: in memory or in a file, which goes with this object."""

    def __init__(self, packed: bytes | str | None) -> None:
        self._packed = packed
        self._loaded: tuple[Any, tuple[Any, ...] | None] | None = None
        if isinstance(packed, str):
            weakref.finalize(self, _remove, packed)

    def load(self) -> tuple[Any, tuple[Any, ...] | None]:
        """The result, and the parts of the exception."""
        if self._loaded is not None:
            return self._loaded
        found: tuple[Any, tuple[Any, ...] | None] = (None, None)
        if isinstance(self._packed, bytes):
            found = load_bytes(self._packed)
        elif self._packed is not None:
            with Path(self._packed).open("rb") as file:
                found = unpack(file)
        self._loaded, self._packed = found, None
        return found


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


class ExceptionInfo:
    """What dbt raised, by name; the exception itself is made when asked for.

    Attributes:
        class_name: Name of the class.
        module: Its module.
        message: What it says.
    """

    def __init__(self, module: str, class_name: str, message: str, payload: _Payload | None = None) -> None:
        self.module = module
        self.class_name = class_name
        self.message = message
        self._payload = payload

    def load(self) -> BaseException:
        """The original exception; a `DbtError` with its name and message if it cannot be made here."""
        with contextlib.suppress(Exception):
            parts = self._payload.load()[1] if self._payload is not None else None
            if parts is not None:
                module, qualname, args, state = parts
                kind: Any = importlib.import_module(module)
                for name in qualname.split("."):
                    kind = getattr(kind, name)
                made: BaseException = kind.__new__(kind)
                made.args = args
                made.__dict__.update(state)
                return made
        if self.class_name == DbtProcessDied.__name__:
            return DbtProcessDied(self.message)
        return DbtError(f"{self.class_name}: {self.message}")

    def __repr__(self) -> str:
        return f"<{self.class_name}: {self.message[:200]}>"


class Outcome:
    """The end of one invocation.

    Attributes:
        success: Whether dbt says that all went well.
        exception: What dbt raised, if it did.
        nodes: How each node ended, in the order of dbt's results. If dbt was interrupted: as far as nodes finished.
        command: The command that ran, such as `build` or `source freshness`; empty if none was named.
        interrupted: Whether it was cancelled.
        target_path: Where dbt wrote its artifacts, if it came so far.
        ran: The arguments that dbt got, with what was added.
    """

    def __init__(
        self,
        *,
        success: bool,
        exception: ExceptionInfo | None = None,
        nodes: tuple[NodeResult, ...] = (),
        command: str = "",
        interrupted: bool = False,
        target_path: Path | None = None,
        ran: tuple[str, ...] = (),
        payload: _Payload | None = None,
    ) -> None:
        self.success = success
        self.exception = exception
        self.nodes = nodes
        self.command = command
        self.interrupted = interrupted
        self.target_path = target_path
        self.ran = ran
        self._payload = payload or _Payload(None)

    @classmethod
    def from_message(cls, said: dict[str, Any]) -> Outcome:
        """The outcome that the child tells."""
        payload = _Payload(said["payload"])
        raised = said["exception"]
        return cls(
            success=said["success"],
            exception=None if raised is None else ExceptionInfo(raised[0], raised[1], raised[2], payload),
            nodes=tuple(said["nodes"]),
            command=said["command"],
            interrupted=said["interrupted"],
            target_path=Path(said["target_path"]) if said["target_path"] else None,
            ran=said["ran"],
            payload=payload,
        )

    @classmethod
    def failed(cls, message: str, class_name: str = DbtProcessDied.__name__, *, interrupted: bool = False) -> Outcome:
        """The outcome where the child gave none."""
        return cls(
            success=False,
            exception=ExceptionInfo(DbtProcessDied.__module__, class_name, message),
            interrupted=interrupted,
        )

    def result(self) -> dbtRunnerResult:
        """The result object of dbt itself; dbt is imported only when its `result` or `exception` is looked at."""
        return LazyResult(self)  # type: ignore[return-value]

    def load_result(self) -> Any:
        """What dbt's command returned: `RunExecutionResult`, `Manifest`, a list of names, ... or `None`."""
        return self._payload.load()[0]

    def __repr__(self) -> str:
        return (
            f"<Outcome of {self.command or 'dbt'}: {'success' if self.success else 'failure'}, {len(self.nodes)} nodes>"
        )


class LazyResult:
    """A `dbtRunnerResult` whose parts are made when looked at; `isinstance` takes it for one."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.success = outcome.success

    @property
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        # Who asks whether it is a `dbtRunnerResult` has imported that.
        module = sys.modules.get("dbt.cli.main")
        return LazyResult if module is None else module.dbtRunnerResult

    @property
    def exception(self) -> BaseException | None:
        """What dbt raised."""
        info = self._outcome.exception
        if info is None:
            return None
        if "_exception" not in self.__dict__:
            self._exception = info.load()
        return self._exception

    @property
    def result(self) -> Any:
        """What dbt's command returned."""
        return self._outcome.load_result()

    def __reduce__(self) -> tuple[Any, ...]:
        from dbt.cli.main import dbtRunnerResult

        return dbtRunnerResult, (self.success, self.exception, self.result)

    def __repr__(self) -> str:
        return f"dbtRunnerResult(success={self.success}, exception={self._outcome.exception!r})"
