"""Parsers of prefect-integration-kit."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sqlite3
import tempfile
import traceback
import zipfile
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

from prefect_integration_kit._archives import BundleRefused, unpack
from prefect_integration_kit._git.errors import GitInvalidRequest
from prefect_integration_kit._git.values import check_folder, check_reference, parse_address, without_userinfo
from prefect_integration_kit.bundles import bundle_key
from prefect_integration_kit.endpoints import check_address, host_address, may_have_tokens
from prefect_integration_kit.files import ignore_rules
from prefect_integration_kit.git_logins import address_with_login
from prefect_integration_kit.image_registries import parse_image
from prefect_integration_kit.message_actions import Malformed, find_value
from prefect_integration_kit.paths import PathEscapes, folder_prefix, is_within, local_target, object_key
from prefect_integration_kit.redact import Redactor
from prefect_integration_kit.secret_values import parsed
from prefect_integration_kit.sql_identifiers import quote_identifier
from prefect_integration_kit.sql_statements import first_word, is_plain_read
from prefect_integration_kit.waiting import retry_after_seconds

from ..registry import refusal, refusing, target

_HERE = Path(tempfile.mkdtemp(prefix="fuzz-paths-"))
(_HERE / "inside").mkdir()
(_HERE / "inside" / "out").symlink_to("/")
_database = sqlite3.connect(":memory:")
_MARK = "q7Z" + "x"  # not in one piece, so that it is in no line of a traceback
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")


@target(
    ("logs", "a/b.txt"), ("", "../x"), ("a/b", "a/b/../../c"), ("x", "./x/./y"), ("a", "a\\..\\..\\b"), ("/a/", "//b")
)
def keys(root: str, path: str) -> None:
    """A key stays in its folder, and resolving it again changes nothing."""
    with refusing(PathEscapes):
        key = object_key(root, path)
        assert object_key(root, key) == key
        home = folder_prefix(root)
        assert not home or key == home[:-1] or is_within(key, home)
        depth = 0
        for part in key[len(home) :].split("/"):
            depth += -1 if part == ".." else part not in ("", ".")
            assert depth >= 0, key


@target("a/b.txt", "../x", "/etc/passwd", "a\\..\\b", "out/x", "a//b", "C:\\x", "a/\0")
def files(relative: str) -> None:
    """A file is written below its folder, whatever the key says, and links on the way are not followed out."""
    with refusing(PathEscapes, ValueError):
        target_path = local_target(_HERE / "inside", relative)
        with contextlib.suppress(OSError):  # a name that is too long
            assert target_path.parent.resolve().is_relative_to(_HERE / "inside")
        assert ".." not in target_path.relative_to(_HERE / "inside").parts


@target(("a/b.txt", "x"), ("../x", "x"), ("/etc/x", "x"), ("a/", ""), ("a\\..\\b", "x"))
def archives(name: str, content: str) -> None:
    """What an archive holds is unpacked into the folder, or nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        archive, into = Path(folder, "a.zip"), Path(folder, "outer", "into")
        into.mkdir(parents=True)
        with contextlib.suppress(UnicodeError, ValueError, RuntimeError):
            with zipfile.ZipFile(archive, "w") as opened:
                opened.writestr(zipfile.ZipInfo(name), content)
            with refusing(BundleRefused, OSError):
                unpack(archive, into, "The archive")
        assert [path.name for path in Path(folder).iterdir() if path != archive] == ["outer"]
        assert list(Path(folder, "outer").iterdir()) == [into]


@target("flows/a", "/flows//a", "../a", "a\\..", "a\nb", ".")
def bundle_keys(key: str) -> None:
    """The key of a bundle is plain, and the same when it is read again."""
    with refusing(ValueError):
        made = bundle_key(key)
        assert bundle_key(made) == made
        assert not {"", ".", ".."} & set(made.split("/"))


@target(
    ("s3cr/t+x=", "Bearer ", "!"),
    ("p%40ss", "", ""),
    ("a\nlong line\nb", "x", "y"),
    ('"\\', "{", "}"),
    ("é\u2028", "", ""),
)
def redaction(secret: str, before: str, after: str) -> None:
    """No usual encoding, nor two of them, lets a secret through."""
    secret = secret.strip()
    if len(secret) < 6:
        return
    redactor = Redactor([secret])
    for encode in _ENCODINGS:
        for again in _ENCODINGS:
            coded = again(encode(secret))
            said = redactor.redact(f"{before}{coded}{after}")
            assert not redactor.found_in(f"{before}{coded}{after}") or "********" in said
            assert secret not in said.replace("********", "\0"), (coded, said)
    for encode in _ENCODINGS:
        assert redactor.found_in(encode(secret)), encode(secret)
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    assert redactor.redact(basic) != basic


def _itself(text: str) -> str:
    return text


_ENCODINGS = (
    *(_itself, quote_plus, json.dumps, escape, repr, ascii),
    lambda text: quote(text, safe=""),
    lambda text: json.dumps(text, ensure_ascii=False),
)


@target("https://host/org/repo.git", "git@host:org/repo", "ext::sh -c id", "-u", "--upload-pack=x", "ssh://-oProxy/x",
        "file:///srv", "https://u:p@h:1/r", "https://[::1]/r", "http://h/%zz", "C:\\repo")  # fmt: skip
def git_addresses(url: str) -> None:
    """An address is no option, names no helper, holds no password, and is the same when it is read again."""
    with refusing(GitInvalidRequest):
        address = parse_address(url)
        assert address.url
        assert not address.url.startswith("-")
        assert not _HELPER.match(address.url)
        assert not address.host.startswith("-")
        assert "\n" not in address.url
        assert "\0" not in address.url
        if address.kind == "http":
            assert "@" not in address.url.partition("://")[2].partition("/")[0]
            assert parse_address(address.url).url == address.url


@target("pa/ss w0rd", "p#ss?x", "p@ss:word", "p%40ss", "p\"a'ss", "p\u2100ss", "pa\\ss", "[::", "p]ss")
def git_passwords(password: str) -> None:
    """However wrong an address is, what is said of it does not hold the password."""
    mark = _MARK
    secret = f"{mark}{password}{mark}".replace("\0", "")
    for url in (f"https://user:{secret}@host/org/repo", f"https://user:{secret}@host", f"nope://user:{secret}@host/r"):
        error = refusal(lambda url=url: parse_address(url), GitInvalidRequest)
        if error is not None:
            assert mark not in "".join(traceback.format_exception(error)).replace(repr(url), ""), url
    coded = address_with_login("https://host/org/repo", "user", secret)
    with contextlib.suppress(UnicodeError):
        assert parse_address(coded).password == secret
        assert secret not in without_userinfo(coded)


@target("main", "v1.0", "-x", "a..b", "refs/heads/a", "a b", "@{1}", "a.lock")
def git_references(reference: str) -> None:
    """A reference is nothing that git could take for an option, a range or a pattern."""
    with refusing(GitInvalidRequest):
        checked = check_reference(reference)
        assert checked is None or (
            checked[0] not in "-+" and ".." not in checked and not set("~^:?*[\\ \0\n") & set(checked)
        )


@target("flows", "../x", "/etc", "a/./b", ".git/hooks", ".GIT", "-x", "./-x", "a\\..\\b")
def git_folders(folder: str) -> None:
    """A folder of a repository lies in it, and not in git's own."""
    with refusing(GitInvalidRequest):
        checked = check_folder(folder, "folder")
        parts = checked.split("/")
        assert ".." not in parts
        assert parts[0].lower() != ".git"
        assert not checked.startswith(("/", "\\"))


@target('a"b', "x", "a`b", "a]b", "select", "a;--", "é", "\0")
def sql_identifiers(name: str) -> None:
    """A database reads a quoted name as that name, whatever it holds."""
    for mark in '"`':
        with refusing(ValueError, UnicodeError):
            row = _database.execute(f"SELECT 1 AS {quote_identifier(name, quote=mark)}")
            assert row.description[0][0] == name
    with refusing(ValueError):
        inner = quote_identifier(name, quote="[")[1:-1]
        assert "]" not in inner.replace("]]", "")


@target("SELECT 1", "/* a */ -- b\n(select 1)", "WITH a AS (DELETE FROM b) SELECT 1", "'insert'", "/*", "'")
def sql_statements(operation: str) -> None:
    """A statement that SQLite lets change a table is never called one that only reads."""
    assert first_word(operation) == first_word(operation).upper()
    is_plain_read(operation)


@target('{"a": 1}', "[" * 50, "1" * 50, "", "{", "NaN")
def secret_values(text: str) -> None:
    """What is wrong with a value is said without the value, and nothing is raised."""
    _, problem = parsed(text.encode("utf-8", "surrogatepass"))
    assert len(text) < 12 or text not in problem


@target("120", "Fri, 31 Dec 1999 23:59:59 GMT", "-1", "nan", "1e999", "", "Mon, 01 Jan 0001 00:00:00 -2359")
def retry_after(value: str) -> None:
    """A wait is a number of seconds that can be waited."""
    seconds = retry_after_seconds(value)
    assert seconds is None or 0 <= seconds < float("inf")


@target(
    "https://host:1",
    "http://u:p@h",
    "https://[::1]",
    "http://localhost:1",
    "host",
    "https://h/path",
    "http://h\u2100:1",
)
def addresses(url: str) -> None:
    """A token is sent over TLS or to this machine, to a host without a user, path or query."""
    with refusing(ValueError):
        checked = check_address(url, "The field")
        assert "@" not in checked
        assert check_address(checked, "The field") == checked
    error = refusal(lambda: check_address(f"https://user:{_MARK}{url}{_MARK}@host", "The field"), ValueError)
    assert error is None or _MARK not in "".join(traceback.format_exception(error)), url
    with refusing(ValueError):
        assert may_have_tokens(host_address(url, "host", "example.com"))


@target("prefecthq/prefect:3", "localhost:5000/a@sha256:" + "0" * 64, "a", "h.io/b/c:t", ":", "@")
def images(name: str) -> None:
    """Whatever the name of an image, its parts can be told."""
    image = parse_image(name)
    assert image.reference
    assert "/" not in image.registry


@target("*.pyc\n!a.pyc\n/b/", "**/x", "[a-", "\\", "#", "a**b", "!", "[!a]", "a\\\n")
def ignore_files(lines: str) -> None:
    """Whatever stands in an ignore file, a path is ignored or not; only a pattern that is none is refused."""
    with refusing(ValueError):
        ignored = ignore_rules(lines.splitlines())
        for path in ("a.pyc", "b/", "b/c.txt", "é/x"):
            assert ignored(path) in (True, False)


@target(('{"a": [1, {"b": 2}]}', "a.1.b"), ("[]", "0"), ("1", "."), ('{"": 1}', ""))
def message_paths(text: str, path: str) -> None:
    """A path finds a value or is refused by name."""
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(text)
        with refusing(Malformed):
            find_value(body, path)
