"""Programs that a test ends."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from prefect_integration_tests import children
from prefect_integration_tests.children import assert_dies_of, ended_by

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


TELLS = """
    import os, signal, sys, time
    signal.signal(signal.SIGINT, lambda *_: sys.exit(f"ended in {os.environ['PLACE']}"))
    print(*sys.argv[1:], file=sys.stderr, flush=True)
    time.sleep(600)
"""


def test_what_a_program_says_until_its_end_is_given() -> None:
    environment = {**os.environ, "PLACE": "order"}

    code, output = ended_by(signal.SIGINT, TELLS, "it", "waits", says="waits", environment=environment)

    assert (code, output.split()) == (1, ["it", "waits", "ended", "in", "order"])


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('early')", "(?s)ended before the signal.*early"),
        (
            WAITS.replace("import sys", "import signal, sys").replace(
                "print(", "signal.signal(15, signal.SIG_IGN); print("
            ),
            "(?s)SIGTERM did not end.*waits",
        ),
    ],
    ids=["it ends too early", "it goes on"],
)
def test_a_program_that_does_not_end_by_the_signal_is_told(
    program: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_SECONDS", 1)
    with pytest.raises(AssertionError, match=said):
        ended_by(signal.SIGTERM, program, "waits", says="waits")
