"""Find secrets in what a program says: logs, output, arguments of child processes, errors."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import threading
import traceback
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from prefect_integration_kit.redact import Redactor, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_FORMATTER = logging.Formatter("%(name)s %(levelname)s %(message)s")


def new_canary() -> str:
    """Make a unique value that looks like a secret and changes when it is percent-encoded."""
    return f"cAnary/{uuid.uuid4().hex}+x="


class LeakWatch:
    """Collects what the program says, and refuses a secret in it.

    It sees records of all loggers at all levels, whatever their configuration, as they reach the
    handlers; both standard streams, those of child processes included; and the arguments of every
    child process.
    """

    def __init__(self, *secrets: Secret) -> None:
        """Watch for some values.

        Args:
            secrets: The values that must not appear, in raw, percent-encoded, base64-encoded or
                escaped form.
        """
        self._redactor = Redactor(secrets)
        self._said: list[tuple[str, str]] = []
        self._live: dict[str, Callable[[], str]] = {}
        self._lock = threading.Lock()

    def add(self, where: str, text: str) -> None:
        """Take in some text.

        Args:
            where: What the text is, for the failure message.
            text: The text.
        """
        with self._lock:
            self._said.append((where, text))

    def add_error(self, error: BaseException) -> None:
        """Take in an error as a user sees it: message, `repr`, traceback with all causes."""
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        self.add(f"the error {type(error).__name__}", "".join(lines) + repr(error) + repr(error.args))

    def text(self) -> str:
        """Return everything heard so far."""
        return "\n".join(text for _, text in self._heard())

    def _heard(self) -> list[tuple[str, str]]:
        with self._lock:
            return [*self._said, *((where, read()) for where, read in self._live.items())]

    @contextmanager
    def hearing(self, where: str, read: Callable[[], str]) -> Generator[None, None, None]:
        """Look at some growing text at every check while the context lasts, and once more at its end.

        Args:
            where: What the text is, for the failure message.
            read: Reads the text as it stands.
        """
        self._live[where] = read
        try:
            yield
        finally:
            del self._live[where]
            self.add(where, read())

    def check(self, *more: str) -> None:
        """Refuse secrets in what was said so far.

        Args:
            more: Further text to look at.

        Raises:
            AssertionError: If a secret was found. The message shows where, with the secret masked.
        """
        for where, text in [*self._heard(), *(("the given text", text) for text in more)]:
            if self._redactor.found_in(text):
                lines = [line for line in text.splitlines() if self._redactor.found_in(line)] or [text]
                shown = self._redactor.redact(lines[0].strip())[:400]
                raise AssertionError(f"A secret stands in {where}: {shown}")

    @contextmanager
    def listening(self, *, streams: bool = True) -> Generator[LeakWatch, None, None]:
        """Listen while the context lasts.

        Args:
            streams: Also hear standard output and error, those of child processes included. They are passed on when
                the context ends. Turn it off when something else captures them.
        """
        with ExitStack() as stack:
            stack.enter_context(_hear_loggers(self))
            stack.enter_context(_hear_process_arguments(self))
            for name in ("stdout", "stderr") if streams else ():
                stack.enter_context(_hear_stream(self, name))
                stack.enter_context(_hear_descriptor(self, name))
            yield self


@contextmanager
def _hear_loggers(watch: LeakWatch) -> Generator[None, None, None]:
    """Let `watch` hear every record; the handlers get what they would have got."""
    is_enabled, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    def enabled(self: logging.Logger, level: int) -> bool:
        return not self.disabled

    def handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        where = f"a record of logger {record.name!r} at {record.levelname}"
        watch.add(where, _FORMATTER.format(record))
        if is_enabled(self, record.levelno):
            call_handlers(self, record)

    logging.Logger.isEnabledFor, logging.Logger.callHandlers = enabled, handlers
    try:
        yield
    finally:
        logging.Logger.isEnabledFor, logging.Logger.callHandlers = is_enabled, call_handlers


class _Tee(io.TextIOBase):
    """A text stream that passes everything on and tells a watch."""

    def __init__(self, stream: TextIO, hear: Callable[[str], None]) -> None:
        self._stream = stream
        self._hear = hear

    def write(self, text: str, /) -> int:
        self._hear(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _hear_stream(watch: LeakWatch, name: str) -> Generator[None, None, None]:
    stream: TextIO = getattr(sys, name)
    said: list[str] = []
    tee = _Tee(stream, said.append)
    setattr(sys, name, tee)
    try:
        with watch.hearing(f"sys.{name}", lambda: "".join(said)):
            yield
    finally:
        if getattr(sys, name) is tee:
            setattr(sys, name, stream)


@contextmanager
def _hear_descriptor(watch: LeakWatch, name: str) -> Generator[None, None, None]:
    """Send the descriptor to a file meanwhile, which child processes inherit."""
    descriptor = {"stdout": 1, "stderr": 2}[name]
    saved = os.dup(descriptor)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), descriptor)

        def read() -> bytes:
            return os.pread(heard.fileno(), os.fstat(heard.fileno()).st_size, 0)

        where = f"{name} of this or a child process"
        try:
            with watch.hearing(where, lambda: read().decode("utf-8", "replace")):
                yield
        finally:
            os.dup2(saved, descriptor)
            if content := read():
                os.write(saved, content)
            os.close(saved)


_listeners: set[Callable[[str], None]] = set()
_hook_lock = threading.Lock()
_hook_added = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event not in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system") or not _listeners:
        return
    for hear in tuple(_listeners):
        hear(" ".join(str(arg) for arg in args[:2]))  # the environment comes later, and may hold secrets


@contextmanager
def _hear_process_arguments(watch: LeakWatch) -> Generator[None, None, None]:
    global _hook_added
    with _hook_lock:
        if not _hook_added:  # audit hooks cannot be removed, so there is one for good
            sys.addaudithook(_audit)
            _hook_added = True

    def hear(arguments: str) -> None:
        watch.add("the arguments of a child process", arguments)

    _listeners.add(hear)
    try:
        yield
    finally:
        _listeners.discard(hear)
