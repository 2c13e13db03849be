"""Words for how a container ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping

# Codes of the shell and of container engines: https://docs.docker.com/engine/containers/run/#exit-status
_MEANINGS = {
    125: "The container could not be run.",
    126: "The command was found, but is not executable.",
    127: "The command was not found: correct `command`, or install what it calls in the image; the default one needs "
    "Prefect in it.",
    137: "It was killed by SIGKILL, most likely for want of memory: raise `memory`, or let the flow use less.",
    143: "It was stopped by SIGTERM.",
}
_NO_OTHERS: Mapping[int, str] = {}


def meaning_of(exit_code: int, others: Mapping[int, str] = _NO_OTHERS) -> str:
    """Say what an exit code means, and the remedy where one is known; empty where nobody knows.

    Args:
        exit_code: Status of the container's process; 128 and the signal's number if a signal ended it.
        others: Meanings that go before the usual ones, for infrastructure that can say more.
    """
    if meaning := others.get(exit_code) or _MEANINGS.get(exit_code):
        return meaning
    if 128 < exit_code < 160:
        try:
            return f"It was ended by {signal.Signals(exit_code - 128).name}."
        except ValueError:
            return ""
    return ""


def sentence(text: str) -> str:
    """Write what a service says in one line that ends with a period."""
    stripped = " ".join(text.split())
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."
