"""Programs that a test ends."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_integration_tests.children import assert_dies_of

WAITS = """
    import sys, time
    print(*sys.argv[1:], flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_program_is_ended_when_its_time_has_come(name: Any) -> None:
    looked: list[int] = []

    assert_dies_of(name, WAITS, "ready", until=lambda: looked.append(1) or True)

    assert looked == [1]


@pytest.mark.parametrize(
    ("program", "until", "said"),
    [
        ("raise SystemExit(0)", lambda: True, "ended before it had begun"),
        (WAITS, lambda: False, "The time to end it did not come"),
        (
            WAITS.replace("import", "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); import", 1),
            None,
            None,
        ),
    ],
    ids=["it ends too early", "it never comes so far", "it ends otherwise"],
)
def test_another_end_is_told(program: str, until: Any, said: str | None) -> None:
    with pytest.raises(AssertionError, match=said):
        assert_dies_of("SIGTERM", program, until=until)
