"""Parsers of prefect-gcp."""

from __future__ import annotations

import contextlib
import json
import re
import traceback

from prefect_gcp import _labels
from prefect_gcp._pubsub_messages import full_name
from prefect_gcp._service_accounts import parse
from prefect_gcp._vertex.spec import _duration
from prefect_gcp._workers.cloud_run import job_name_in
from prefect_gcp._workers.container_logs import line_of, quoted
from prefect_gcp.errors import GcpInvalidRequest

from ..registry import refusal, refusing, target

_MARK = "q7Zx" + "Secret"  # not in one piece, so that it is in no line of a traceback


@target("3600s", "1.5", "1e400", "NaN", "-0", "Infinity", '{"seconds": 1, "nanos": "x"}', "٣s")
def durations(text: str) -> None:
    """A duration is one that protobuf reads, or it is refused by name."""
    from google.protobuf.duration_pb2 import Duration

    given: list[object] = [text]
    with contextlib.suppress(ValueError, RecursionError):
        given.append(json.loads(text))
    for value in given:
        with refusing(ValueError):
            written = _duration(value, "job_spec.timeout")
            assert re.fullmatch(r"-?\d+(\.\d+)?s", written, re.ASCII), written
            Duration().FromJsonString(written)


@target("projects/p/locations/r/jobs/j", "namespaces/p/jobs/j", "j", "jobs/../x", "J")
def identifiers(text: str) -> None:
    """A job's name has no slash, and is its own identifier."""
    with refusing(ValueError):
        name = job_name_in(text)
        assert job_name_in(name) == name
        assert "/" not in name


@target("orders", "projects/p/topics/orders", "goog", "projects/p/x/orders", "a" * 300, "a/b")
def topic_names(text: str) -> None:
    """A full name has four parts, and stays."""
    with refusing(GcpInvalidRequest):
        name = full_name("topics", text, "project")
        assert len(name.split("/")) == 4
        assert full_name("topics", name, "project") == name


@target(("My Label", "A b"), ("prefect.io/x", "é"), ("9", "-"), ("a" * 100, "_"))
def labels(key: str, value: str) -> None:
    """Labels and names are legal whatever they are made of."""
    made = _labels.sanitized({key: value})
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) for name in made)
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", text) for text in made.values())
    assert _labels.sanitized(made) == made
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", _labels.job_name(key, value))


@target('{"type": "service_account", "private_key": "q7ZxSecret"}', "[", "1", "q7ZxSecret", "[" * 100)
def service_accounts(text: str) -> None:
    """A key is read, or refused with nothing of it in the message."""
    for given in (text, f'{{"private_key": "{_MARK}" {text}'):
        error = refusal(lambda given=given: parse(given, "field"), ValueError)
        assert error is None or _MARK not in "".join(traceback.format_exception(error))


@target('a" OR "', "x\ny", "\\", '{"textPayload": "x"}')
def log_filters(text: str) -> None:
    """A text in a filter is one value, and any entry has a line."""
    inner = quoted(text)[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)
    assert "\n" not in inner
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(entry, dict) and all(
        isinstance(value, dict) for name, value in entry.items() if name != "textPayload"
    ):
        line_of(entry)
