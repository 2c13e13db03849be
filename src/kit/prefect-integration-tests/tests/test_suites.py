"""Suites as a third-party author uses them: inherited in a project of their own, without configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_integration_tests.docstrings import examples
from prefect_integration_tests.suites import FileSystemSuite
from prefect_integration_tests.suites.base import Suite

README = Path(__file__).parent.parent / "README.md"


class Inherited(FileSystemSuite):
    @pytest.fixture
    def filesystem(self):
        return None


class Silent(Inherited):
    async def test_what_is_written_is_read(self, filesystem, call):
        """Do nothing."""


class Removed(Inherited):
    test_what_is_written_is_read = None


class Loose(Inherited):
    @pytest.mark.xfail(reason="not yet")
    async def test_what_is_written_is_read(self, filesystem, call):
        """Not strict: nobody would notice that it works."""


class Nameless(Inherited):
    @pytest.mark.xfail(strict=True)
    async def test_what_is_written_is_read(self, filesystem, call):
        """No reason."""


class Below(Silent):
    pass


class Said(Inherited):
    @pytest.mark.xfail(strict=True, reason="the service drops zero bytes")
    async def test_what_is_written_is_read(self, filesystem, call):
        await super().test_what_is_written_is_read(filesystem, call)


@pytest.mark.parametrize("suite", [Silent, Removed, Loose, Nameless, Below])
def test_a_silent_override_is_found_out(suite: type[Suite]) -> None:
    with pytest.raises(AssertionError, match="test_what_is_written_is_read"):
        suite().test_nothing_is_overridden_in_silence()


@pytest.mark.parametrize("suite", [Inherited, Said])
def test_fixtures_and_strict_expectations_are_no_silent_override(suite: type[Suite]) -> None:
    suite().test_nothing_is_overridden_in_silence()


def test_a_suite_without_its_fixture_cannot_run() -> None:
    class Forgotten(FileSystemSuite):
        pass

    with pytest.raises(TypeError, match="filesystem"):
        Forgotten()


def _blocks() -> list[str]:
    return [each.code for each in examples(README.read_text(encoding="utf-8")) if "file" in each.flags]


LEAK = """\
    def _write(self, path, content):
        print(content)
        return self._put(path, content)

    def _put("""


def test_the_readme_is_a_working_example(pytester: pytest.Pytester) -> None:
    """The package and the tests of the README, in a project with nothing but them."""
    package, tests = _blocks()
    pytester.makepyfile(prefect_shelf=package, test_conformance=tests)
    pytester.makeini("[pytest]\n")
    options = ("-p", "no:cacheprovider", "-q", "-W", "ignore")
    result = pytester.runpytest_subprocess(*options, "-k", "TestShelf or presented or described or travels")
    outcomes = result.parseoutcomes()
    assert result.ret == 0, result.stdout.str()[-3000:]
    assert outcomes["passed"] > 20
    assert "skipped" not in outcomes


def test_a_leak_in_the_readme_example_is_found(pytester: pytest.Pytester) -> None:
    """What the example prints under pytest's own capture is heard, with pytest-asyncio in its strict mode."""
    package, tests = _blocks()
    leaking = package.replace("    def _write(", LEAK)
    assert leaking != package
    pytester.makepyfile(prefect_shelf=leaking, test_conformance=tests)
    pytester.makeini("[pytest]\nasyncio_mode = strict\n")
    options = ("-p", "no:cacheprovider", "-q", "-W", "ignore")
    result = pytester.runpytest_subprocess(*options, "-k", "not_logged")
    assert result.parseoutcomes().get("failed") == 2, result.stdout.str()[-3000:]
