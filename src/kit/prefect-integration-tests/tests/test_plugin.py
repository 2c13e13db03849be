"""The fixtures of the plugin do what the suites rely on."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest

from prefect_integration_kit.dispatch import async_dispatch, sync_task
from prefect_integration_tests.faces import Call, NoSuchFace
from prefect_integration_tests.leaks import LeakWatch, new_canary


class Cup:
    async def _afill(self, what: str) -> tuple[str, str]:
        asyncio.get_running_loop()
        return "async", what

    async def afill(self, what: str) -> tuple[str, str]:
        return await self._afill(what)

    @async_dispatch(afill)
    def fill(self, what: str) -> tuple[str, str]:
        return "sync", what

    async def await_end(self) -> str:
        return "async"

    @async_dispatch(await_end)
    def wait_for_end(self) -> str:
        return "sync"

    def only_sync(self) -> str:
        return "sync"

    def liar(self) -> object:
        return self.afill("x")

    async def aliar(self) -> str:
        return "async"


async def aadd(a: int, b: int) -> tuple[str, int]:
    return "async", a + b


@async_dispatch(aadd)
def add(a: int, b: int) -> tuple[str, int]:
    return "sync", a + b


async def test_a_method_is_called_by_the_face_asked_for(call: Call) -> None:
    assert await call(Cup(), "fill", "tea") == (call.face, "tea")


async def test_a_twin_of_another_name_is_found_through_aio(call: Call) -> None:
    assert await call(Cup(), "wait_for_end") == call.face


async def test_a_function_and_a_pair_are_called_by_the_face_asked_for(call: Call) -> None:
    assert await call(add, 1, b=2) == (call.face, 3)
    assert await call((add, aadd), 1, b=2) == (call.face, 3)
    assert await call(sys.modules[__name__], "add", 1, 2) == (call.face, 3)


async def test_a_task_is_called_by_the_face_asked_for(call: Call, prefect_harness: None) -> None:
    from prefect import task

    @task
    async def atwice(n: int) -> tuple[str, int]:
        return "async", 2 * n

    @sync_task(atwice)
    def twice(n: int) -> tuple[str, int]:
        return "sync", 2 * n

    assert await call(twice, 4) == (call.face, 8)


async def test_the_sync_face_sees_no_event_loop_and_a_thread_of_its_own() -> None:
    def look() -> int:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return threading.get_ident()

    assert await Call("sync")((look, look)) != threading.get_ident()


async def test_a_missing_face_is_named() -> None:
    assert await Call("sync")(Cup(), "only_sync") == "sync"
    with pytest.raises(NoSuchFace, match=r"'only_sync'.* has no async face"):
        await Call("async")(Cup(), "only_sync")
    with pytest.raises(NoSuchFace, match="no operation 'nothing'"):
        await Call("sync")(Cup(), "nothing")


async def test_a_sync_face_that_returns_a_coroutine_is_refused() -> None:
    with pytest.raises(TypeError, match="returned a coroutine"):
        await Call("sync")(Cup(), "liar")


async def test_the_fake_clock_jumps_and_remembers(fake_clock) -> None:
    start = fake_clock.monotonic()
    fake_clock.sleep(3600)
    await fake_clock.asleep(0.5)
    fake_clock.advance(1)
    assert fake_clock.monotonic() - start == 3601.5
    assert fake_clock.sleeps == [3600, 0.5]
    with pytest.raises(ValueError, match="-1"):
        fake_clock.sleep(-1)


def _silent(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    return logger


LEAKS = {
    "a debug record of a silent logger": lambda c: _silent("kt.silent").debug("token=%s", c),
    "a record of prefect": lambda c: logging.getLogger("prefect.flow_runs").debug("x %s", c),
    "the root logger": lambda c: logging.getLogger().debug("x %s", c),
    "a percent-encoded URL": lambda c: print(f"https://u:{quote(c, safe='')}@host/"),
    "standard error": lambda c: print(c, file=sys.stderr),
    "a child's output": lambda c: subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['C'])"], env={"C": c}, check=True
    ),
    "a child's arguments": lambda c: subprocess.run([sys.executable, "-c", "", c], check=True),
    "base64": lambda c: print(__import__("base64").b64encode(f"user:{c}".encode()).decode()),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_leak_is_found_wherever_it_happens(leak) -> None:
    canary = new_canary()
    watch = LeakWatch(canary)
    with watch.listening():
        leak(canary)
    with pytest.raises(AssertionError, match="A secret stands in") as caught:
        watch.check()
    assert canary not in str(caught.value)


def test_a_leak_in_the_cause_of_an_error_is_found() -> None:
    canary = new_canary()
    watch = LeakWatch(canary)
    try:
        try:
            raise KeyError(canary)
        except KeyError as exc:
            raise ValueError("bad") from exc
    except ValueError as exc:
        watch.add_error(exc)
    with pytest.raises(AssertionError):
        watch.check()


def test_handlers_get_only_what_their_loggers_let_through(no_canary_leaks, caplog) -> None:
    seen: list[str] = []
    logger = _silent("kt.quiet")
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    logger.addHandler(handler)
    logger.debug("debug")
    logger.critical("critical")
    assert seen == ["critical"]
    assert "debug" in no_canary_leaks.text()


def test_the_watch_gives_streams_and_loggers_back() -> None:
    before = sys.stdout, sys.stderr, logging.Logger.isEnabledFor, logging.Logger.callHandlers
    with LeakWatch("x").listening():
        assert sys.stdout is not before[0]
    assert before == (
        sys.stdout,
        sys.stderr,
        logging.Logger.isEnabledFor,
        logging.Logger.callHandlers,
    )


def test_the_watch_lives_with_capsys(no_canary_leaks, capsys) -> None:
    print("hello")
    assert capsys.readouterr().out == "hello\n"


def test_the_watch_lives_with_capfd(no_canary_leaks, capfd) -> None:
    subprocess.run([sys.executable, "-c", "print('hello')"], check=True)
    assert capfd.readouterr().out == "hello\n"
    assert "hello" in no_canary_leaks.text()


def test_prefect_records_runs_in_a_home_of_its_own(prefect_harness, tmp_path) -> None:
    from pathlib import Path

    from prefect import flow, settings

    @flow
    def hello() -> str:
        return "hello"

    assert hello() == "hello"
    assert Path.home() / ".prefect" != settings.PREFECT_HOME.value()
    assert "127.0.0.1" in settings.PREFECT_API_URL.value()


class Config:
    """Takes down which plugins are asked for, in a process that runs tests."""

    def __init__(self, **options: object) -> None:
        self.pluginmanager = self
        self.options = options
        self.imported: list[str] = []

    def getoption(self, name: str, default: object = None) -> object:
        return self.options.get(name, default)

    def import_plugin(self, name: str) -> None:
        self.imported.append(name.rpartition(".")[2])


def test_backends_come_with_their_dependencies(monkeypatch) -> None:
    from prefect_integration_tests import plugin

    everything, nothing = Config(), Config()
    monkeypatch.setattr(plugin, "_is_installed", lambda _: True)
    plugin.pytest_configure(everything)
    monkeypatch.setattr(plugin, "_is_installed", lambda _: False)
    plugin.pytest_configure(nothing)
    assert {"processes", "faults", "s3", "aws", "smtp"} <= set(everything.imported)
    assert set(nothing.imported) == {name for name, needs in plugin._BACKENDS.items() if not needs}
    assert {"processes", "faults"} <= set(nothing.imported)


def test_a_process_that_only_hands_tests_out_imports_no_backends() -> None:
    from prefect_integration_tests import plugin

    controller, worker, collector = (Config(dist="loadgroup", collectonly=n == 2) for n in range(3))
    worker.workerinput = {}  # as pytest-xdist tells a worker that it is one
    for config in (controller, worker, collector):
        plugin.pytest_configure(config)
    assert controller.imported == []
    assert worker.imported == collector.imported != []


def test_what_is_not_installed_is_not_there() -> None:
    from prefect_integration_tests.plugin import _is_installed

    assert _is_installed("pytest")
    assert not _is_installed("a-distribution-that-nobody-made")


def test_tests_that_need_an_engine_are_left_out_when_asked_for(tmp_path) -> None:
    (tmp_path / "test_two.py").write_text(
        "import pytest\n"
        "@pytest.fixture\n"
        "def image(docker_engine): ...\n"
        "def test_with(image): raise AssertionError\n"
        "def test_without(): ...\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "WITHOUT_ENGINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 1 deselected" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize("workers", [0, 1], ids=["alone", "xdist"])
def test_programs_can_be_interrupted_when_tests_run_in_the_background(tmp_path, workers) -> None:
    (tmp_path / "test_interrupt.py").write_text(
        "import signal\n\n\ndef test_it(): assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    ignoring = "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.exit(pytest.main())"
    run = subprocess.run(
        [sys.executable, "-c", ignoring, "-q", "-p", "no:cacheprovider", "-n", str(workers), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize("workers", [0, 1], ids=["alone", "xdist"])
def test_what_failed_at_the_first_attempt_is_shown(tmp_path, workers) -> None:
    (tmp_path / "test_unsteady.py").write_text(
        "from pathlib import Path\nimport pytest\n\n\n@pytest.fixture\ndef odd():\n    yield\n"
        "    was, _ = Path('seen').exists(), Path('seen').touch()\n    assert was, 'a cup is missing'\n\n\n"
        "def test_it(odd): ...\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reruns", "1", "-n", str(workers), "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "test_unsteady.py::test_it, in its teardown:" in run.stdout
    assert "a cup is missing" in run.stdout
