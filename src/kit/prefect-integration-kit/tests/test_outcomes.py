"""Words for how a container ended."""

from __future__ import annotations

import pytest

from prefect_integration_kit.outcomes import meaning_of, sentence


@pytest.mark.parametrize(
    ("exit_code", "says"),
    [(127, "command was not found"), (137, "for want of memory"), (134, "SIGABRT"), (143, "SIGTERM")],
)
def test_an_exit_code_has_a_meaning(exit_code: int, says: str) -> None:
    assert says in meaning_of(exit_code)


@pytest.mark.parametrize("exit_code", [-1, 0, 1, 2, 128, 160, 255])
def test_a_program_s_own_exit_code_has_none(exit_code: int) -> None:
    assert meaning_of(exit_code) == ""


def test_infrastructure_that_knows_more_goes_first() -> None:
    others = {137: "The kernel killed it."}
    assert meaning_of(137, others) == "The kernel killed it."
    assert meaning_of(143, others) == meaning_of(143)


def test_what_a_service_says_becomes_one_sentence() -> None:
    assert sentence("Quota exceeded\n  in  westeurope") == "Quota exceeded in westeurope."
    assert sentence("Try again!") == "Try again!"
