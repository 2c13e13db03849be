"""Options and events from outside: legal, or refused by an error that quotes no password."""

from __future__ import annotations

import traceback

import pytest

from prefect_aws._cli import values
from prefect_aws._cli.failures import CommandFailed
from prefect_aws.observers._events import read_event
from prefect_integration_tests import hostile

MARK = "q7Zx"


@pytest.mark.parametrize("password", hostile.PASSWORDS, ids=ascii)
def test_an_api_url_with_a_password_is_refused_and_not_quoted(password: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        values.api_url(f"https://user:{MARK}{password}{MARK}@h/api")
    said = [line for line in traceback.format_exception(caught.value) if not line.startswith("  File")]
    assert MARK not in "".join(said)


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_nothing_hostile_is_an_option_of_a_stack(text: str) -> None:
    for check in (values.stack_name, values.vpc_id, values.subnet_ids, values.api_url):
        with pytest.raises(CommandFailed, match="--"):
            check(text)
    with pytest.raises(CommandFailed, match="--x"):
        values.secret_arn("--x", text, region="eu-central-1")


@pytest.mark.parametrize("body", [*hostile.ALL, "[" * 100_000, '{"Message": ' * 500], ids=lambda text: ascii(text)[:40])
def test_nothing_hostile_is_an_event(body: str) -> None:
    assert read_event(body) is None
