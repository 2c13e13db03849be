"""Values from outside reach a program as one word, one variable or one text of input, whatever they hold.

Commands themselves are for a shell: they are what the caller says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests import hostile
from prefect_shell import ShellOperation, join, quote
from prefect_shell.errors import ShellError, ShellOptionError

TEXTS = tuple(text for text in dict.fromkeys(hostile.ALL) if "\0" not in text)
NUL = tuple(text for text in hostile.ALL if "\0" in text)
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('VALUE'), sys.stdin.read()]))"


def shown(operation: ShellOperation) -> Any:
    """What the program was given: its arguments, the variable and its input."""
    return json.loads(operation.run()[-1])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The working folder, in which nothing is made."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert [each.name for each in tmp_path.iterdir()] == []


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_quoted_values_are_words_of_a_command(shell: str) -> None:
    program = [sys.executable, "-c", SHOW]
    assert shown(ShellOperation(commands=[join([*program, *TEXTS], shell)], shell=shell))[0] == list(TEXTS)
    words = " ".join(quote(text, shell) for text in TEXTS)
    assert shown(ShellOperation(commands=[f"{join(program, shell)} {words}"], shell=shell))[0] == list(TEXTS)


def test_arguments_need_no_quoting() -> None:
    assert shown(ShellOperation(args=[sys.executable, "-c", SHOW, *TEXTS]))[0] == list(TEXTS)


@pytest.mark.parametrize("text", hostile.SHELL, ids=ascii)
def test_variables_and_input_are_no_commands(text: str) -> None:
    operation = ShellOperation(args=[sys.executable, "-c", SHOW], env={"VALUE": text}, stdin=text)
    assert shown(operation) == [[], text, text]
    script = ShellOperation(commands=['printf %s "$VALUE"'], secret_env={"VALUE": text}, log_output=False)
    assert "\n".join(script.run()) == text


@pytest.mark.parametrize("text", NUL, ids=ascii)
def test_what_no_program_can_get_is_refused(text: str) -> None:
    with pytest.raises(ShellOptionError, match="NUL"):
        quote(text)
    for fields in ({"args": ["echo", text]}, {"commands": ["true"], "env": {"VALUE": text}}):
        with pytest.raises((ShellError, ValueError)):
            ShellOperation(**fields).run()


@pytest.mark.parametrize("text", [*hostile.OPTIONS, *hostile.SHELL], ids=ascii)
def test_nothing_hostile_is_a_shell(text: str) -> None:
    with pytest.raises(ShellError):
        ShellOperation(commands=["true"], shell=text).run()
