"""A stand-in for the program `docker` with its plugin buildx, at the edge of the process.

It takes the arguments of the published reference (https://docs.docker.com/reference/cli/docker/buildx/build/) and no
others, notes down what it was given, and builds on the real engine by the engine's own builder; what it says has the
form of BuildKit's plain progress. As BuildKit, it keeps an image to itself unless it is told to load or push it. It
says the secrets out loud, as a careless `RUN cat` would. It starts a dozen times in these tests, so it imports little.

Variables: `STAND_IN_LOG`, the file to note down in; `STAND_IN_BUILDX=absent`; `STAND_IN_FAILURES`, a file whose first
line, taken away, is the error to end with.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

# Flags of `docker buildx build` that take a value, and those that do not.
VALUES = {
    "add-host",
    "allow",
    "annotation",
    "attest",
    "build-arg",
    "build-context",
    "builder",
    "cache-from",
    "cache-to",
    "call",
    "cgroup-parent",
    "file",
    "iidfile",
    "label",
    "metadata-file",
    "network",
    "no-cache-filter",
    "output",
    "platform",
    "policy",
    "progress",
    "provenance",
    "sbom",
    "secret",
    "shm-size",
    "ssh",
    "tag",
    "target",
    "ulimit",
}
SWITCHES = {"check", "debug", "load", "no-cache", "pull", "push", "quiet"}
PROGRESS = ("auto", "none", "plain", "quiet", "rawjson", "tty")


def fail(message: str, code: int = 1) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def note(**entry: object) -> None:
    with Path(os.environ["STAND_IN_LOG"]).open("a") as log:
        log.write(json.dumps(entry) + "\n")


def read(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    found: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("--"):
        flag, equals, value = rest.pop(0)[2:].partition("=")
        if not flag:
            break
        if flag not in VALUES | SWITCHES:
            fail(f"unknown flag: --{flag}\n\nUsage:  docker buildx build [OPTIONS] PATH | URL | -", 125)
        if flag in VALUES and not equals:
            value = rest.pop(0)
        found.setdefault(flag, []).append(value)
    return found, rest


def secrets(flags: dict[str, list[str]]) -> dict[str, str]:
    values = {}
    for written in flags.get("secret", []):
        pairs = dict(part.split("=", 1) for part in written.split(","))
        if not set(pairs) <= {"id", "src", "source", "env", "type"}:
            fail(f"ERROR: unexpected key in {written}")
        if "env" in pairs:
            values[pairs["id"]] = os.environ[pairs["env"]]
        else:
            values[pairs["id"]] = Path(pairs.get("src") or pairs["source"]).read_text()
    return values


def failure() -> str | None:
    path = os.environ.get("STAND_IN_FAILURES")
    if not path or not (lines := Path(path).read_text().splitlines()):
        return None
    Path(path).write_text("\n".join(lines[1:]))
    return lines[0]


class Engine(http.client.HTTPConnection):
    """The engine of `DOCKER_HOST`."""

    def __init__(self) -> None:
        super().__init__("docker")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def ask(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    engine = Engine()
    engine.request(method, path, body, headers or {})
    answer = engine.getresponse()
    return answer.status, answer.read()


def events(content: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in content.splitlines() if line.strip())


def pack(folder: Path, dockerfile: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname=".")
        member = tarfile.TarInfo(".stand-in.Dockerfile")
        member.size = len(dockerfile.encode())
        archive.addfile(member, io.BytesIO(dockerfile.encode()))
    return packed.getvalue()


def build(arguments: list[str]) -> None:
    flags, rest = read(arguments)
    if len(rest) != 1:
        fail("ERROR: docker: 'docker buildx build' requires 1 argument", 1)
    if flags.get("progress", ["auto"])[-1] not in PROGRESS:
        fail("ERROR: invalid progress")
    if "quiet" in flags and "progress" in flags:
        fail("ERROR: progress and quiet cannot be used together")
    values = secrets(flags)
    build_args = {}
    for written in flags.get("build-arg", []):
        name, equals, value = written.partition("=")
        build_args[name] = value if equals else os.environ[name]
    note(command="build", arguments=arguments, flags=flags, secrets=values, build_args=build_args, context=rest[0])
    print("#1 [internal] load build definition from Dockerfile", file=sys.stderr)
    if (said := failure()) is not None:
        fail(f"#1 ERROR: {said}\n------\n > [internal] load build definition:\n------\nERROR: failed to solve: {said}")
    for number, (name, value) in enumerate(values.items(), start=2):
        print(f"#{number} 0.1 the secret {name} is {value}", file=sys.stderr)
    image_id = built(flags, build_args, Path(rest[0]))
    print(f"#9 writing image {image_id} done", file=sys.stderr)
    tags = flags.get("tag", [])
    if "push" in flags:
        for tag in tags:
            push(tag)
    if "load" not in flags:
        for tag in tags:
            ask("DELETE", f"/images/{quote(tag)}?noprune=1")
    if "iidfile" in flags:
        Path(flags["iidfile"][-1]).write_text(image_id)


def built(flags: dict[str, list[str]], build_args: dict[str, str], context: Path) -> str:
    lines = Path(flags["file"][-1]).read_text().splitlines()
    text = "".join(f"{line}\n" for line in lines if "--mount" not in line)
    query = {
        "dockerfile": ".stand-in.Dockerfile",
        "rm": 1,
        "forcerm": 1,
        "t": flags.get("tag", []),
        "buildargs": json.dumps(build_args),
        "labels": json.dumps(dict(label.split("=", 1) for label in flags.get("label", []))),
        "nocache": int("no-cache" in flags),
    }
    _, content = ask("POST", f"/build?{urlencode(query, doseq=True)}", pack(context, text))
    step, image_id = "", ""
    for event in events(content):
        if event.get("stream", "").startswith("Step "):
            step = event["stream"].strip()
        image_id = event.get("aux", {}).get("ID", image_id)
        if error := event.get("error") or event.get("message"):
            place, _, line = step.removeprefix("Step ").partition(" : ")
            fail(f"#5 ERROR: {error}\n------\n > [{place}] {line}:\n------\nERROR: failed to solve: {error}")
    return image_id


def push(name: str) -> None:
    repository, _, tag = name.rpartition(":")
    config = Path(os.environ["DOCKER_CONFIG"]) / "config.json"
    logins = json.loads(config.read_text())["auths"] if config.exists() else {}
    login = logins.get(repository.partition("/")[0], {}).get("auth")
    user, _, password = base64.b64decode(login).decode().partition(":") if login else ("", "", "")
    header = base64.urlsafe_b64encode(json.dumps({"username": user, "password": password} if user else {}).encode())
    _, content = ask(
        "POST", f"/images/{quote(repository)}/push?tag={tag}", headers={"X-Registry-Auth": header.decode()}
    )
    for event in events(content):
        if "error" in event:
            fail(event["error"])
        if "status" in event and not event.get("progressDetail"):
            print(event["status"])


def image(arguments: list[str]) -> None:
    note(command=f"image {arguments[0]}", arguments=arguments)
    if arguments[0] == "push":
        push(arguments[1])
        return
    answers = [ask("GET", f"/images/{quote(name)}/json") for name in arguments[1:]]
    if any(status != 200 for status, _ in answers):
        fail(f"Error: No such image: {arguments[1]}")
    print(json.dumps([json.loads(content) for _, content in answers]))


if __name__ == "__main__":
    group, *arguments = sys.argv[1:]
    if group == "buildx" and os.environ.get("STAND_IN_BUILDX") == "absent":
        fail("docker: unknown command: docker buildx\n\nRun 'docker --help' for more information")
    if group == "buildx" and arguments == ["--help"]:
        print("Usage:  docker buildx [OPTIONS] COMMAND")
    elif group == "buildx" and arguments[0] == "build":
        build(arguments[1:])
    elif group == "image" and arguments[0] in ("inspect", "push"):
        image(arguments)
    else:
        fail(f"docker: unknown command: docker {group}", 1)
