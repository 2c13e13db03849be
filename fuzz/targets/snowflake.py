"""Parsers of prefect-snowflake."""

from __future__ import annotations

import re
import traceback

from prefect_snowflake._keys import der_key, storable
from prefect_snowflake.errors import InvalidPemFormat
from prefect_snowflake.experimental.workers._spcs import names

from ..registry import refusal, refusing, target


@target("my_name", '"my name"', '"a""b"', 'a"; drop', "a.b.c", '"a"."b"', '"a.b".c')
def identifiers(text: str) -> None:
    """A name in a statement is one name, whatever it holds."""
    with refusing(ValueError):
        assert re.fullmatch(r"[A-Z_][A-Z0-9_$]*", names.plain_name(text, "field"))
    with refusing(ValueError):
        quoted = names.quoted_name(text, "field")
        assert quoted[0] == quoted[-1] == '"'
        assert '"' not in quoted[1:-1].replace('""', "")
        assert "\0" not in quoted
    with refusing(ValueError):
        assert names.secret_name(text, "field") == text
    with refusing(ValueError):
        assert str(names.read_identifier(text)) == text.upper()


@target(("my run", "x"), ("é9", "y"), ("9", ""), ("$", "z"))
def service_names(name: str, submission: str) -> None:
    """A name is legal whatever it is made of."""
    made = names.service_name(name, submission)
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,62}", made)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", names.container_name(name))


@target('words\n{"prefect.io/flow-run-id": "a"}', "{", '{"a": [', "[]")
def comments(text: str) -> None:
    """Labels are read from any comment, and those that are written are read."""
    names.flow_run_of(names.labels_in(text))
    assert names.labels_in(names.comment_of(text, {"a": text})) == {"a": text}


@target(
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "MIIB", "-----BEGIN RSA PRIVATE KEY-----", "\\n"
)
def private_keys(text: str) -> None:
    """A key is read, or refused with nothing of it in the message."""
    key = text.encode("utf-8", "surrogatepass")
    storable(key)
    error = refusal(lambda: der_key(key, None, "private_key"), InvalidPemFormat)
    assert error is None or len(text) < 30 or text not in "".join(traceback.format_exception(error))
