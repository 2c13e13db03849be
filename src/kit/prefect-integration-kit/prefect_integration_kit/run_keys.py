"""Keys by which another service recognises a request that a retried task makes again."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_REMEMBERED = 10_000
_lock = threading.Lock()
_calls: OrderedDict[tuple[uuid.UUID, int, str], int] = OrderedDict()


class RunKey(NamedTuple):
    """What tells one piece of work from another.

    Attributes:
        text: Letters, digits and `-`, at most 54 characters.
        attempts: How often the task run has been started, this time included.
    """

    text: str
    attempts: int

    def names(self) -> Iterator[str]:
        """Yield one name for each attempt so far, the first one first.

        A retry goes through them: work of an earlier attempt that still runs or succeeded is taken over, work that
        failed is left behind. The last name was never used before.
        """
        yield self.text
        for number in range(2, self.attempts + 1):
            yield f"{self.text}-{number}"


def run_key(request: Mapping[str, Any], *, counts_calls: bool = False) -> RunKey:
    """Make the key of a request: the same for all retries of a task run, another one for each task run.

    Outside of a task each call has a key of its own.

    Args:
        request: What is asked for; two different requests of one task run have different keys.
        counts_calls: Whether one task run may ask for the same several times, as the body of a task can: the second
            call then has a key of its own, which is that of the second call in a retry, too.
    """
    from prefect.context import TaskRunContext

    context = TaskRunContext.get()
    digest = digest_of(request)
    run_id = uuid.uuid4() if context is None else context.task_run.id
    attempts = 1 if context is None else max(1, context.task_run.run_count)
    number = _count(run_id, attempts, digest) if counts_calls and context is not None else 1
    return RunKey(key_text(run_id, digest, number), attempts)


def digest_of(request: Mapping[str, Any]) -> str:
    """Make eight digits that tell a request, which JSON can express, from another."""
    return _short(json.dumps(request, sort_keys=True, default=str))


def key_text(run_id: uuid.UUID, digest: str, number: int = 1) -> str:
    """Make the text of a key.

    Args:
        run_id: The run that all attempts have in common.
        digest: Tells its requests apart; see `digest_of`.
        number: Which of several requests with the same digest it is.
    """
    return f"prefect-{run_id}-{digest if number == 1 else _short(f'{digest}-{number}')}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _count(run_id: uuid.UUID, attempt: int, digest: str) -> int:
    key = (run_id, attempt, digest)
    with _lock:
        number = _calls[key] = _calls.pop(key, 0) + 1
        if len(_calls) > _REMEMBERED:
            _calls.popitem(last=False)
    return number
