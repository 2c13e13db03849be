"""Private keys as people paste them."""

from __future__ import annotations

import re

_PEM = re.compile(r"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=kind)-----", re.S)
_HEADER = re.compile(r"^[\w-]+: .*$", re.M)
_LINE = 64


def pem_text(text: str, field: str) -> str:
    r"""Give a PEM text its line breaks back.

    Args:
        text: The key. Line breaks may be missing, be spaces, or be written as `\n`.
        field: Name of the field, for the message.

    Raises:
        ValueError: If it is no PEM text. The key is not shown.
    """
    found = _PEM.search(text.replace("\\r", "").replace("\\n", "\n").replace("\r", ""))
    if found is None:
        raise ValueError(f"{field} has a line '-----BEGIN …' and no '-----END …' for it. Give all of the key's text.")
    headers = "\n".join(_HEADER.findall(found["body"]))  # of an encrypted key in the traditional form
    body = "".join(_HEADER.sub("", found["body"]).split())
    lines = [body[start : start + _LINE] for start in range(0, len(body), _LINE)]
    top = f"-----BEGIN {found['kind']}-----\n" + (f"{headers}\n\n" if headers else "")
    return top + "\n".join(lines) + f"\n-----END {found['kind']}-----\n"
