"""Tokens by which Databricks knows a run again that an earlier attempt of the same Prefect run has started."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prefect_integration_kit import flow_calls
from prefect_integration_kit.run_keys import RunKey, digest_of, key_text

_REMEMBERED = 10_000
_MOST_NAMES = 1000
_lock = threading.Lock()
_used: OrderedDict[tuple[str, int], None] = OrderedDict()


@dataclass(frozen=True)
class Attempt:
    """One attempt to have something run within a Prefect run.

    Attributes:
        key: The same in all attempts, and in these only; at most 54 characters.
        is_retry: Whether Prefect has started the run before.
    """

    key: str
    is_retry: bool

    def tokens(self) -> Iterator[str]:
        """Yield idempotency tokens, the first attempt's first.

        A retry goes through them: what still runs or has succeeded is taken over, what has failed is left behind.
        """
        return RunKey(self.key, _MOST_NAMES).names()

    def uses(self, run_id: int) -> None:
        """Remember a run, which is none that a later attempt has started."""
        with _lock:
            _used[self.key, run_id] = None
            if len(_used) > _REMEMBERED:
                _used.popitem(last=False)

    def has_used(self, run_id: int) -> bool:
        """Say whether an earlier attempt in this process has used a run."""
        with _lock:
            return (self.key, run_id) in _used


def current_attempt(request: Mapping[str, Any]) -> Attempt:
    """Say which attempt this is. Outside of a flow run, each call is a first one.

    Args:
        request: What is asked for, as JSON has it; two different requests of one run have different keys.
    """
    digest = digest_of(request)
    call = flow_calls.current_call(digest)
    if call is None:
        return Attempt(key_text(uuid.uuid4(), digest), is_retry=False)
    return Attempt(key_text(call.scope, digest, call.number), call.is_retry)


def forget() -> None:
    """Forget what this process has seen, as another one would not know it."""
    flow_calls.forget()
    with _lock:
        _used.clear()
