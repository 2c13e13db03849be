"""An error that is a package's and its SDK's says what the package says, and survives the way to another process."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections import UserDict
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_kit.sdk_errors import TranslatedError, combined, mask_secrets


class BoxError(TranslatedError):
    """A package's base error.

    Args:
        message: What `str` says.
        subject: What the work was about.
        code: What the service said.
    """

    def __init__(self, message: str, *, subject: str = "", code: str = "") -> None:
        super().__init__(message, subject=subject)
        self.code = code


class BoxNotFound(BoxError, FileNotFoundError):
    """It also is one of Python's own errors."""


class SdkFailure(Exception):
    """An SDK's exception, whose initialiser and text are not those of ours."""

    def __init__(self, response: dict[str, Any], operation: str) -> None:
        super().__init__("composed by the SDK")
        self.response = response
        self.operation = operation

    def __str__(self) -> str:
        return f"{self.operation} answered {self.response}"


def modelled() -> type[SdkFailure]:
    """Make a class as an SDK's client does, which no module holds."""
    return type("Modelled", (SdkFailure,), {})


def error_of(own: type[BoxError], sdk: type[BaseException], **attributes: Any) -> Any:
    error = combined(own, sdk)("Box 7: it is gone.", subject="Box 7", code="Gone")
    vars(error).update(attributes)
    return error


def travelled(error: Any) -> list[Any]:
    return [pickle.loads(pickle.dumps(error)), copy.copy(error)]


def test_it_is_caught_as_ours_as_the_sdks_and_as_pythons() -> None:
    error = error_of(BoxNotFound, SdkFailure)
    for cls in (BoxNotFound, BoxError, FileNotFoundError, SdkFailure):
        with pytest.raises(cls):
            raise error
    assert (type(error).__name__, type(error).__module__) == ("BoxNotFound", __name__)


def test_the_message_is_ours_whatever_the_sdk_composes() -> None:
    error = error_of(BoxError, SdkFailure)
    assert str(error) == "Box 7: it is gone."
    assert error.args == ("Box 7: it is gone.",)
    error.args = ()
    assert str(error) == ""


def test_the_same_two_make_the_same_class() -> None:
    assert combined(BoxError, SdkFailure) is combined(BoxError, SdkFailure)


def test_a_class_that_is_the_sdks_already_stays_as_it_is() -> None:
    assert combined(BoxNotFound, OSError) is BoxNotFound


def test_ours_stands_alone_where_python_cannot_join_the_two() -> None:
    assert combined(BoxNotFound, SyntaxError) is BoxNotFound
    assert str(error_of(BoxNotFound, SyntaxError)) == "Box 7: it is gone."


@pytest.mark.parametrize("sdk", [SdkFailure, ConnectionResetError, OSError], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("own", [BoxError, BoxNotFound], ids=lambda cls: cls.__name__)
def test_it_travels_with_its_class_and_attributes(own: type[BoxError], sdk: type[BaseException]) -> None:
    error = error_of(own, sdk, response={"status": 404})
    for again in travelled(error):
        assert type(again) is type(error)
        assert (str(again), again.subject, again.code) == ("Box 7: it is gone.", "Box 7", "Gone")
        assert again.response == {"status": 404}


def test_ours_alone_travels_too() -> None:
    for again in travelled(BoxNotFound("Gone.", subject="Box 7")):
        assert type(again) is BoxNotFound
        assert (str(again), again.subject) == ("Gone.", "Box 7")


def test_a_class_that_nobody_can_import_travels_as_its_nearest_base() -> None:
    class Local(BoxNotFound):
        pass

    for again in travelled(error_of(Local, modelled())):
        assert type(again) is combined(BoxNotFound, SdkFailure)


def test_a_subclass_of_a_combined_class_stays_the_sdks() -> None:
    class Local(combined(BoxError, SdkFailure)):
        pass

    for again in travelled(Local("Gone.")):
        assert isinstance(again, BoxError)
        assert isinstance(again, SdkFailure)


_ERRORS = """
from prefect_integration_kit.sdk_errors import TranslatedError

class BoxError(TranslatedError): ...
class SdkFailure(Exception): ...
"""
_WRITE = """
import pickle, box_errors
from prefect_integration_kit.sdk_errors import combined
error = combined(box_errors.BoxError, box_errors.SdkFailure)("Gone.")
open("error.pickle", "wb").write(pickle.dumps(error))
"""
_READ = """
import pickle
error = pickle.load(open("error.pickle", "rb"))
print([cls.__name__ for cls in type(error).__mro__[:3]], error)
"""


def test_another_process_can_read_it_in_which_the_two_have_not_met(tmp_path: Path) -> None:
    (tmp_path / "box_errors.py").write_text(_ERRORS, encoding="utf-8")
    for code in (_WRITE, _READ):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "['BoxError', 'BoxError', 'TranslatedError'] Gone.\n"


def test_what_cannot_be_pickled_travels_as_text() -> None:
    lock = threading.Lock()
    error = error_of(BoxError, SdkFailure, lock=lock, response={"stream": lock, "head": UserDict(length="7")})
    again = pickle.loads(pickle.dumps(error))
    assert again.lock == str(lock)
    assert again.response == {"stream": str(lock), "head": {"length": "7"}}


def test_a_copy_shares_no_collection_with_the_original() -> None:
    error = error_of(BoxError, SdkFailure, response={"fields": {}}, seen=[1])
    again = copy.copy(error)
    again.response["fields"]["a"] = 1
    again.seen.append(2)
    assert (error.response, error.seen) == ({"fields": {}}, [1])


class _Call:
    """What an SDK keeps of a call beside its exception."""

    def __init__(self, said: str) -> None:
        self.said, self.raw, self.attempts = said, said.encode(), 1


@pytest.mark.parametrize("secret", ["hunter22", b"hunter22", "begin\n" + "x" * 3000 + "\nhunter22\n"])
def test_secrets_are_masked_in_what_an_sdk_keeps_beside_its_exceptions(secret):
    error = ValueError("refused")
    error.call = _Call("hunter22 is not valid")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        raise RuntimeError("failed") from error
    except RuntimeError as exc:
        mask_secrets(exc, [secret], within=["call", "other"])
    call: Any = vars(error)["call"]
    assert "hunter22" not in call.said + call.raw.decode()
    assert call.said.endswith(" is not valid")
    assert call.attempts == 1
