"""dbt's runner where somebody has replaced it, as tests of flows do: what is there is called, in this process."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, cast

from prefect_integration_kit.replaced import is_replaced

from .._dbt import DbtEvent, ExceptionInfo, Invocation, NodeResult, Outcome
from .._dbt.child.arguments import resolve
from .._dbt.child.encoding import Encoder, Filter
from .._dbt.child.nodes import from_result
from .._dbt.child.scrubbing import Scrubber
from .._profiles import exported

__all__ = ["ReplacedRunner", "replaced_runner"]

_MODULE = "dbt.cli.main"
_NAME = "dbtRunner"


def replaced_runner(place: str) -> Any:
    """Find what somebody has put in the place of dbt's runner, in dbt's own module or in one of ours.

    Args:
        place: Name of the module of ours.

    Returns:
        It; `None` if dbt's own runner is there, or dbt is not even loaded.
    """
    for module in (place, _MODULE):
        found = vars(sys.modules[module]).get(_NAME) if module in sys.modules else None
        if found is not None and not _is_dbts(found):
            return found
    return None


def _is_dbts(runner: Any) -> bool:
    is_own = getattr(runner, "__module__", None) == _MODULE and not is_replaced(runner, "invoke", _MODULE)
    return is_own and not hasattr(runner.invoke, "mock")  # of `autospec`, which takes over the name of the module


class ReplacedRunner:
    """Stands where a `DbtProcess` does.

    Args:
        runner: What is in the place of `dbtRunner`.
        env: Variables that the environment has for the time of a call.
    """

    is_cancelling = False

    def __init__(self, runner: Any, env: Mapping[str, str]) -> None:
        self._runner = runner
        self._env = env

    def __enter__(self) -> ReplacedRunner:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is no process."""

    def cancel(self) -> None:
        """Do nothing: whatever runs cannot be told."""

    def invoke(self, invocation: Invocation, on_event: Callable[[DbtEvent], None]) -> Outcome:
        """Call it as dbt's runner is called; see `DbtProcess.invoke`.

        Args:
            invocation: What is asked of dbt.
            on_event: Told of the events that it tells, and of the results of nodes.
        """
        command, words = _words(invocation)
        encoder, shown = Encoder(Scrubber(os.environ)), Filter()

        def callback(message: Any) -> None:
            with suppress(Exception):  # it may be no event of dbt's either
                on_event(encoder.encode(message, shown.shows(message.info)))

        given: dict[str, Any] = {"callbacks": [callback]}
        if invocation.manifest is not None:
            given["manifest"] = pickle.loads(invocation.manifest.read_bytes())  # noqa: S301 - our own
        with exported(self._env):
            result = self._runner(**given).invoke(words, **invocation.kwargs)
        outcome = _GivenOutcome(result, command, words, with_code=invocation.include_compiled_code)
        for node in outcome.nodes:
            on_event(DbtEvent("PrefectResult", "", "debug", "", time.time(), "", None, {}, False, None, node))
        return outcome


def _words(invocation: Invocation) -> tuple[str, list[str]]:
    """The command, and the arguments with what is added to them, each option and its value as words of their own."""
    request = invocation.request()
    resolved = resolve(import_module(_MODULE).cli, request["args"], invocation.kwargs, request["inject"])
    words: list[str] = []
    for word in resolved.args:
        option, equals, value = word.partition("=")
        is_added = equals and word not in invocation.args and option[2:].replace("-", "_") in request["inject"]
        words += [option, value] if is_added else [word]
    return resolved.command, words


class _GivenOutcome(Outcome):
    """The end that is told, which `result` gives as it is."""

    def __init__(self, given: Any, command: str, words: list[str], *, with_code: bool) -> None:
        raised: Any = getattr(given, "exception", None)
        super().__init__(
            success=bool(given.success),
            exception=_GivenException(raised) if isinstance(raised, BaseException) else None,
            nodes=tuple(_nodes(getattr(given, "result", None), with_code)),
            command=command,
            ran=tuple(words),
        )
        self._given = given

    def result(self) -> Any:
        return self._given

    def load_result(self) -> Any:
        return getattr(self._given, "result", None)


class _GivenException(ExceptionInfo):
    """The exception that is told."""

    def __init__(self, exception: BaseException) -> None:
        super().__init__(type(exception).__module__, type(exception).__qualname__, str(exception))
        self._exception = exception

    def load(self) -> BaseException:
        return self._exception


def _nodes(result: Any, with_code: bool) -> Iterator[NodeResult]:
    found = getattr(result, "results", result)
    scrub = Scrubber(os.environ)
    for each in cast("Iterable[Any]", found) if isinstance(found, list | tuple) else ():
        with suppress(Exception):  # what is no result of a node
            known = from_result(each, scrub, with_code)
            if known is not None:
                yield known
