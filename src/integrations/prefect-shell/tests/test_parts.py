"""The parts below the published names: quoting, line reading, bounded capture, pipes."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_kit.redact import Redactor
from prefect_shell import join, quote
from prefect_shell._dialect import Dialect, default_extension, dialect_of, launch_arguments
from prefect_shell._output import Capture, LineReader, Stream
from prefect_shell._pipes import Pipes, SelectorPipes, ThreadedPipes
from prefect_shell._script import Script
from prefect_shell.errors import ShellOptionError

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_posix_shell_reads_quoted_words_as_they_were(words: list[str]) -> None:
    printed = subprocess.run(
        ["sh", "-c", join(["printf", "%s\\0", *words], "sh")], capture_output=True, check=True
    ).stdout
    assert printed.decode().split("\0")[:-1] == words


def test_powershell_reads_quoted_words_as_they_were() -> None:
    assert quote("it's $x", "pwsh") == "'it''s $x'"
    assert quote("\u2019", "powershell.exe") == "'\u2019\u2019'"
    assert join(["my tool", 1], "pwsh") == "& 'my tool' '1'"


@pytest.mark.parametrize("shell", ["cmd", "python3"])
def test_a_shell_without_safe_quoting_is_refused(shell: str) -> None:
    with pytest.raises(ShellOptionError, match=shell):
        quote("x", shell)
    with pytest.raises(ShellOptionError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize(
    ("shell", "dialect"),
    [
        (None, Dialect.BASH),
        ("/usr/local/bin/bash-5.2", Dialect.BASH),
        ("sh", Dialect.POSIX),
        ("ksh93", Dialect.POSIX),
        ("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.EXE", Dialect.POWERSHELL),
        ("pwsh", Dialect.POWERSHELL),
        ("cmd.exe", Dialect.CMD),
        ("python3.11", Dialect.OTHER),
    ],
)
def test_a_shell_is_known_by_its_name(shell: str | None, dialect: Dialect) -> None:
    assert dialect_of(shell) is dialect


def test_powershell_runs_a_file_of_its_own_kind(tmp_path: Path) -> None:
    assert default_extension(Dialect.POWERSHELL) == ".ps1"
    assert launch_arguments("pwsh", Dialect.POWERSHELL, tmp_path)[-2:] == ["-File", str(tmp_path)]
    script = Script("pwsh", Dialect.POWERSHELL, ["ä", "b"], fail_fast=True)
    with script.prepared({}) as arguments:
        written = Path(arguments["args"][-1]).read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")  # Windows PowerShell would take it for ANSI without
    assert written.count(b"if ($LASTEXITCODE)") == 2


@given(st.lists(st.sampled_from(["a", "b", "\n", "\r", "\r\n", "\n\n"]), max_size=30), st.data())
def test_lines_do_not_depend_on_how_the_text_is_cut(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    reader = LineReader(Redactor([]))
    lines: list[str] = []
    rest = text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        lines += reader.feed(rest[:size])
        rest = rest[size:]
    lines += reader.finish()
    expected = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n") if text else []
    assert [line for line in lines if line] == [line for line in expected if line]


@given(st.lists(st.text("xyä\n", max_size=30), max_size=20), st.integers(1, 40))
def test_a_capture_holds_the_last_bytes_and_no_more(pieces: list[str], limit: int) -> None:
    bounded, whole = Capture(limit), Capture(None)
    for piece in pieces:
        bounded.add("stdout", piece)
        whole.add("stdout", piece)
    kept = bounded.lines()
    assert sum(len(line.encode()) + 1 for line in kept) <= limit
    assert "\n".join(whole.lines()).endswith("\n".join(kept))


@pytest.mark.parametrize("kind", [SelectorPipes, ThreadedPipes])
def test_both_ways_of_reading_pipes_read_all(kind: type[SelectorPipes | ThreadedPipes]) -> None:
    process = subprocess.Popen(
        ["sh", "-c", "seq 40000 & seq 40000 >&2; wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    captures = {"stdout": Capture(None), "stderr": Capture(None)}
    streams = [
        Stream(
            name, encoding="utf-8", errors="strict", capture=captures[name], reader=LineReader(Redactor([])), log=None
        )
        for name in captures
    ]
    assert process.stdout is not None
    assert process.stderr is not None
    pipes: Pipes = kind({streams[0]: process.stdout, streams[1]: process.stderr})
    while pipes.is_open:
        for stream, data in pipes.read(10):
            if data:
                stream.feed(data)
            else:
                stream.finish()
    pipes.close()
    process.wait()
    for capture in captures.values():
        assert capture.lines() == [str(number) for number in range(1, 40_001)]


@pytest.mark.parametrize("kind", [SelectorPipes, ThreadedPipes])
def test_a_reader_can_be_woken_and_given_up(kind: type[SelectorPipes | ThreadedPipes]) -> None:
    read, write = os.pipe()
    stream = Stream(
        "stdout", encoding="utf-8", errors="strict", capture=None, reader=LineReader(Redactor([])), log=None
    )
    pipes: Pipes = kind({stream: os.fdopen(read, "rb", buffering=0)})
    threading.Timer(0.05, pipes.wake).start()
    assert pipes.read(30) == []
    assert pipes.read(0.01) == []
    assert pipes.is_open
    os.close(write)
    pipes.close()
    assert not pipes.is_open
    pipes.wake()
