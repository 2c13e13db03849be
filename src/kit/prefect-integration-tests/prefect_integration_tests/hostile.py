"""Texts that break out of where they are put, if they are put there carelessly.

Tests of whatever takes text from outside run over these, so that all packages are tried with the same.
"""

from __future__ import annotations

PATHS = (
    "../evil.txt",
    "a/../../evil.txt",
    "..\\evil.txt",
    "a\\..\\..\\evil.txt",
    "/etc/evil.txt",
    "\\\\host\\share\\evil.txt",
    "a/\0evil.txt",
    "..",
)
"""Keys and paths that lead out of their folder, or are none."""

SQL = (
    'a"; DROP TABLE victims; --',
    "a'; DROP TABLE victims; --",
    "a`; DROP TABLE victims; --",
    "a]; DROP TABLE victims; --",
    "a\\'; DROP TABLE victims; --",
    "' OR '1'='1",
    "%s %(a)s :a ? {a}",
)
"""Values and names that end the text or the name that they stand in."""

SHELL = (
    "$(touch evil)",
    "`touch evil`",
    "; touch evil",
    "| touch evil",
    "a\ntouch evil",
    "' ; touch evil ; '",
    '" ; touch evil ; "',
    "\\",
    "*",
    "~",
    "-n",
)
"""Words that a shell makes something else of."""

HEADERS = (
    "a\r\nBcc: evil@example.com",
    "a\nX-Evil: 1",
    "a\rX-Evil: 1",
    "a\r\n\r\nbody",
    "a\u2028X-Evil: 1",
    "a\x0bX-Evil: 1",
    "a\0",
)
"""Values of headers that bring headers of their own."""

OPTIONS = ("--upload-pack=touch evil", "-oProxyCommand=touch evil", "--output=evil", "-c", "--", "-")
"""Arguments that a program takes for options."""

GIT_ADDRESSES = (
    "ext::sh -c touch% evil",
    "fd::17/foo",
    "--upload-pack=touch evil",
    "ssh://-oProxyCommand=touch%20evil/repo",
    "-oProxyCommand=touch evil@host:repo",
    "https://-host/repo",
    "https://host/repo\n--evil",
)
"""Addresses of repositories that make git run a program."""

PASSWORDS = (
    "pa/ss",
    "pa#ss",
    "pa?ss",
    "pa@ss",
    "pa:ss",
    "pa ss",
    'pa"ss',
    "pa'ss",
    "pa\\ss",
    "pa%ss",
    "pa[ss",
    "pa\u2100ss",
)
"""What makes an address unreadable that has it as its password, unencoded."""

NO_NAMES = (*PATHS, *SQL, *SHELL, *HEADERS, *OPTIONS, *GIT_ADDRESSES)
"""What is never the name of anything."""

ALL = (*NO_NAMES, *PASSWORDS)
"""All of them."""
