"""The two engines: libFuzzer by way of Atheris where that is installed, Hypothesis where it is not."""

from __future__ import annotations

import importlib
import importlib.util
import time
from pathlib import Path
from typing import Any

from .registry import SEPARATOR, Target, targets_in

LONGEST = 400
"""Bytes of an input: what goes wrong with long texts goes wrong with these, and short ones are read by people."""

SLOW_SECONDS = 10
"""An input that takes longer is a finding, too: a pattern that backtracks without end."""

# A word of it is what libFuzzer puts into an input at once, where it would need many steps to find it.
DICTIONARY = (
    *("../", "..\\", "/", "\\", "\0", "\r\n", "\n", "--", "-", "::", ":", "@", "%2F", "%00", "://", "?", "#", "&", ";"),
    *(
        '"',
        "'",
        "`",
        "$(",
        "${",
        "{{",
        "}}",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "=",
        ",",
        "|",
        "~",
        "\u212b",
        "\u2100",
        "\u00e9",
    ),
    *("arn:aws:", "https://", "ssh://", "sha256:", "-----BEGIN ", "-----END ", "null", "NaN", "1e999", "9" * 40),
    SEPARATOR,
)


def text_of(data: bytes) -> str:
    """Read an input of libFuzzer."""
    return data.decode("utf-8", "replace")


def has_atheris() -> bool:
    """Say whether the coverage-guided engine is installed."""
    return importlib.util.find_spec("atheris") is not None


def run_atheris(name: str, packages: list[str], seconds: float, folder: Path) -> None:
    """Fuzz one target, guided by the coverage of our packages; the process ends with it.

    Args:
        name: The target.
        packages: Import packages to measure.
        seconds: How long.
        folder: Gets the corpus, and the input that fails, as `crash-…`, `timeout-…` or `oom-…`.
    """
    atheris: Any = importlib.import_module("atheris")
    importlib.import_module("prefect")  # it is not what we look at, and to instrument it takes its time
    with atheris.instrument_imports(include=[*packages, "fuzz.targets"], enable_loader_override=False):
        found = _target(name)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(found.corpus()):
        (corpus / f"seed-{number}").write_bytes(seed.encode("utf-8", "surrogatepass"))
    words = folder / "dictionary"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in DICTIONARY), "ascii")
    options = {
        "max_total_time": max(1, round(seconds)),
        "max_len": LONGEST,
        "timeout": SLOW_SECONDS,
        "artifact_prefix": f"{folder}/",
        "dict": str(words),
        "print_final_stats": 1,
        "verbosity": 0,
    }
    argv = [name, *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
    atheris.Setup(argv, lambda data: found.run(text_of(data)))
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def run_hypothesis(name: str, seconds: float, folder: Path) -> None:
    """Try inputs that Hypothesis makes of the seeds and of nothing, as long as there is time.

    Args:
        name: The target.
        seconds: How long.
        folder: Gets the smallest input that fails, as `crash-hypothesis`.
    """
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    found = _target(name)
    pieces = st.sampled_from([*found.corpus(), *DICTIONARY]) | st.text(max_size=20)
    texts = st.lists(pieces, max_size=6).map("".join) | st.text(max_size=LONGEST)
    last = ""

    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts)
    def check(text: str) -> None:
        nonlocal last
        last = text
        found.run(text)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            check()
        except BaseException:  # noqa: PERF203 - once
            (folder / "crash-hypothesis").write_bytes(last.encode("utf-8", "surrogatepass"))
            raise


def _target(name: str) -> Target:
    module = importlib.import_module(f"fuzz.targets.{name.partition('.')[0]}")
    return next(each for each in targets_in(module) if each.name == name)
