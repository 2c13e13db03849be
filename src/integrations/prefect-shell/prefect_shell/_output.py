"""What becomes of a command's output: decoded as it comes, kept for the result, logged by line, remembered for errors.

Nothing here grows with the output unless the caller asks for all of it: a line is cut for the log, the tail holds a few
kilobytes, and the result is bounded by `max_captured_bytes`.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Callable

from prefect_integration_kit.redact import Redactor

# A log record above 1,000,000 bytes never reaches the Prefect API (PREFECT_LOGGING_TO_API_MAX_LOG_SIZE).
_LOG_RECORD_CHARS = 65_536
# As many lines as arrive at once get a record each; more share records, or a chatty command would drown in logging.
_LINES_WITH_OWN_RECORD = 50
_TAIL_CHARS = 8_192


class Capture:
    """The lines that become the result, of both streams in order of arrival."""

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._pieces: deque[tuple[str, str, int]] = deque()
        self._size = 0
        self.was_cut = False

    @property
    def max_bytes(self) -> int | None:
        """Most bytes that are kept, counted in UTF-8 with line ends."""
        return self._max_bytes

    def add(self, stream: str, text: str) -> None:
        r"""Keep whole lines.

        Args:
            stream: `stdout` or `stderr`.
            text: Lines joined by `\n`, without a last line end.
        """
        size = 0 if self._max_bytes is None else _size(text) + 1
        with self._lock:
            self._pieces.append((stream, text, size))
            self._size += size
            if self._max_bytes is not None:
                self._cut(self._max_bytes)

    def _cut(self, limit: int) -> None:
        """Drop the oldest lines until the rest fits."""
        while self._size > limit:
            self.was_cut = True
            stream, text, size = self._pieces.popleft()
            self._size -= size
            room = limit - self._size
            if room <= 1:
                continue
            # The last bytes of the piece fit: of these the whole lines, or the end of a line that is too long.
            end = text.encode("utf-8", "surrogatepass")[-(room - 1) :]
            _, newline, whole = end.partition(b"\n")
            kept = (whole if newline else end if "\n" not in text else b"").decode("utf-8", "ignore")
            if kept:
                self._pieces.appendleft((stream, kept, _size(kept) + 1))
                self._size += _size(kept) + 1
            return

    def lines(self, stream: str | None = None) -> list[str]:
        """The lines so far, without line ends.

        Args:
            stream: `stdout` or `stderr`; both when not given.
        """
        with self._lock:
            pieces = [text for name, text, _ in self._pieces if stream in (None, name)]
        lines = [line for text in pieces for line in text.split("\n")]
        return [line[:-1] if line.endswith("\r") else line for line in lines]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Tail:
    """The last lines, at most 8 KiB of them."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    def add(self, lines: list[str]) -> None:
        """Remember the last of `lines`."""
        size, first = 0, len(lines)
        while first > 0 and size <= _TAIL_CHARS:
            first -= 1
            size += len(lines[first]) + 1
        for line in lines[first:]:
            kept = line[-_TAIL_CHARS:]
            self._lines.append(kept)
            self._size += len(kept) + 1
            while self._size > _TAIL_CHARS + 1:
                self._size -= len(self._lines.popleft()) + 1

    def __str__(self) -> str:
        return "\n".join(self._lines).rstrip()


class LineReader:
    """Cuts text into lines as it comes, for people to read: redacted, and none longer than a log record.

    A lone carriage return ends a line too, so that a progress meter is seen while it moves.
    """

    def __init__(self, redactor: Redactor, longest_secret: int = 0) -> None:
        """Prepare an empty reader.

        Args:
            redactor: Masks secrets.
            longest_secret: Length of the longest text that the redactor looks for.
        """
        self._redactor = redactor
        self._margin = longest_secret
        self._rest = ""
        self._skipped = 0
        self._has_return = False

    def feed(self, text: str) -> list[str]:
        """Take text, return the lines that it ends."""
        if self._has_return:
            text = f"\r{text}"
        self._has_return = text.endswith("\r")  # its line feed may still come
        if self._has_return:
            text = text[:-1]
        complete, newline, rest = text.replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")
        if not newline:
            self._extend(rest)
            return []
        first, newline, others = complete.partition("\n")
        self._extend(first)
        lines = self._take()
        if newline:
            lines += self._redactor.redact(others).split("\n")
        self._extend(rest)
        return lines

    def skip(self) -> None:
        """Forget the line that has no end yet."""
        self._rest, self._skipped, self._has_return = "", 0, False

    def finish(self) -> list[str]:
        """Return the last line if it has no end."""
        return self._take() if self._rest or self._skipped else []

    def _extend(self, text: str) -> None:
        room = max(_LOG_RECORD_CHARS + self._margin - len(self._rest), 0)
        self._rest += text[:room]
        self._skipped += max(len(text) - room, 0)

    def _take(self) -> list[str]:
        line, skipped = self._rest, self._skipped
        self._rest, self._skipped = "", 0
        redacted = self._redactor.redact(line)
        if skipped and self._margin:
            redacted = redacted[: -self._margin]  # the text ends in the midst of a line, maybe of a secret
        return [self._shorten(redacted, skipped)]

    @staticmethod
    def _shorten(line: str, skipped: int = 0) -> str:
        skipped += max(len(line) - _LOG_RECORD_CHARS, 0)
        return f"{line[:_LOG_RECORD_CHARS]}… [{skipped} more characters]" if skipped else line


class Stream:
    """One of the two outputs of a command."""

    def __init__(
        self,
        name: str,
        *,
        encoding: str,
        errors: str,
        capture: Capture | None,
        reader: LineReader,
        log: Callable[[str], None] | None,
    ) -> None:
        """Prepare to be fed.

        Args:
            name: `stdout` or `stderr`.
            encoding: How the bytes are decoded.
            errors: What becomes of bytes that do not fit the encoding.
            capture: Where the lines are kept; `None` keeps none.
            reader: Makes lines for log and tail.
            log: Logs text; `None` logs nothing.
        """
        self.name = name
        self.tail = Tail()
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._capture = capture
        self._partial: list[str] = []
        self._partial_size = 0
        self._reader = reader
        self._log = log

    def feed(self, data: bytes) -> None:
        """Take bytes as they come.

        Raises:
            UnicodeDecodeError: If they do not fit the encoding and `errors` is `strict`.
        """
        self._take(self._decoder.decode(data))

    def finish(self) -> None:
        """Take what is left when the stream has ended: a last line without line end."""
        self._take(self._decoder.decode(b"", final=True))
        if self._capture is not None and self._partial_size:
            self._capture.add(self.name, "".join(self._partial))
        self._partial, self._partial_size = [], 0
        self._tell(self._reader.finish())

    def _take(self, text: str) -> None:
        if not text:
            return
        if self._capture is not None:
            self._keep(text, self._capture)
        if self._log is None and len(text) > 2 * _TAIL_CHARS:
            # Only the tail looks at these lines, and it holds no more than the last of them.
            cut = text.find("\n", len(text) - 2 * _TAIL_CHARS)
            if cut >= 0:
                self._reader.skip()
                text = text[cut + 1 :]
        self._tell(self._reader.feed(text))

    def _keep(self, text: str, capture: Capture) -> None:
        complete, newline, rest = text.rpartition("\n")
        if newline:
            capture.add(self.name, "".join([*self._partial, complete]))
            self._partial, self._partial_size = [], 0
        if rest:
            self._partial.append(rest)
            self._partial_size += len(rest)
        limit = capture.max_bytes
        if limit is not None and self._partial_size > 2 * limit:
            capture.was_cut = True
            self._partial = ["".join(self._partial)[-limit:]]
            self._partial_size = len(self._partial[0])

    def _tell(self, lines: list[str]) -> None:
        self.tail.add(lines)
        if self._log is None:
            return
        if len(lines) <= _LINES_WITH_OWN_RECORD:
            for line in lines:
                if line.strip():
                    self._log(line)
            return
        group: list[str] = []
        size = 0
        for line in lines:
            if group and size + len(line) > _LOG_RECORD_CHARS:
                self._log("\n".join(group))
                group, size = [], 0
            group.append(line)
            size += len(line) + 1
        self._log("\n".join(group))
