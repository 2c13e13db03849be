"""A secret is found in every form that it takes in text, and other text is left alone."""

from __future__ import annotations

import base64
import html
import json
import logging
import shlex
import time
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr
from pydantic import Secret as PydanticSecret

from prefect_integration_kit.redact import MASK, RedactingFilter, Redactor, redact, secrets_in

# Short secrets have no base64 form that is more than chance; asterisks are the mask's own.
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=5, max_size=30).filter(
    lambda text: len(text.strip()) >= 5
)
AROUND = st.text(st.sampled_from("abc XYZ:/=&%+-_.,ü"), max_size=8)
HARD = "p@ss w/ö?r&d\"'\\n<€😀>+\n%41"


def encodings(secret: str) -> dict[str, str]:
    """Every way in which text is written inside of other text."""
    return {
        "raw": secret,
        "url": quote(secret, safe=""),
        "url, lower case": quote(secret, safe="").replace("%C3%BC", "%c3%bc"),
        "url, some characters safe": quote(secret, safe="/!$&'()*+,;=:@"),
        "form": quote_plus(secret),
        "query": urlencode({"k": secret}),
        "url in a url": quote(quote(secret, safe=""), safe=""),
        "json": json.dumps(secret),
        "json, unicode": json.dumps(secret, ensure_ascii=False),
        "json in json": json.dumps(json.dumps({"k": secret})),
        "repr": repr(secret),
        "repr in repr": repr([repr(secret)]),
        "ascii": ascii(secret),
        "bytes": repr(secret.encode()),
        "markup": html.escape(secret),
        "shell": shlex.quote(secret),
        "json in a url": quote(json.dumps({"k": secret})),
    }


@pytest.mark.parametrize("form", list(encodings("")))
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_every_encoding_is_masked(form: str, secret: str, before: str, after: str):
    encoded = encodings(secret)[form]
    redactor = Redactor([secret])
    text = f"{before} {encoded} {after}"
    assert redactor.found_in(text)
    masked = redactor.redact(text)
    assert MASK in masked
    assert not redactor.found_in(masked)
    assert secret not in masked
    assert encoded.strip("'\"") not in masked


@pytest.mark.parametrize("form", list(encodings("")))
def test_a_hard_secret_goes_as_a_whole_and_takes_nothing_along(form: str):
    quotes = str.maketrans("", "", "'\"\\\\[]")  # which ones are used depends on what is inside
    masked = redact(encodings(HARD)[form], [HARD], mask="MASKED")
    assert masked.translate(quotes) == encodings("MASKED")[form].translate(quotes)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(secret=st.binary(min_size=5, max_size=40), before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_is_found_at_any_offset(encode: Any, secret: bytes, before: bytes, after: bytes):
    assume(secret.strip())
    encoded = encode(before + secret + after).decode()
    redactor = Redactor([secret])
    assert redactor.found_in(encoded)
    assert redactor.found_in(quote(encoded, safe=""))
    left = redactor.redact(encoded).replace(MASK, "")
    assert len(left) <= len(encode(before)) + len(encode(after)) + 4


def test_a_basic_authorization_header_is_masked():
    secret = "s3cr3t-välue"
    header = "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()
    masked = redact(f"Authorization: {header}", [SecretStr(secret)])
    assert MASK in masked
    assert len(masked.split(MASK)[-1].strip("=")) <= 1  # what is left of the last group says nothing


@given(secret=SECRETS, text=st.text(max_size=40))
def test_text_without_the_secret_is_left_alone(secret: str, text: str):
    redactor = Redactor([secret])
    if not redactor.found_in(text):
        assert redactor.redact(text) == text


@pytest.mark.parametrize("text", ["", "ordinary text", "https://example.com/?a=b%20c", '{"a": "\\u00fc"}'])
def test_innocent_text_is_not_touched(text: str):
    assert redact(text, ["s3cr3t", "p@ss wörd", b"\xff\xfe\x00\x01\x02"]) == text


def test_nothing_to_hide_hides_nothing():
    for nothing in ([], [None], [""], [b""], ["  \n"], [SecretStr("")]):
        assert redact("some  text\n", nothing) == "some  text\n"


def test_a_secret_inside_another_does_not_leave_the_rest():
    assert redact("token=abc-def", ["abc", "abc-def"]) == f"token={MASK}"


def test_a_value_read_from_a_file_is_found_without_its_line_end():
    assert redact("password is hunter22!", ["hunter22!\n"]) == f"password is {MASK}!".replace("!", "", 1)


def test_each_line_of_a_key_is_masked():
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n"
    for line in key.strip().split("\n"):
        assert redact(f"read: {line}", [key]) == f"read: {MASK}"


def test_bytes_that_are_no_text_are_found_in_their_repr_and_url():
    secret = b"\xff\x00key\xfe"
    for text in (repr(secret), quote(secret), secret.decode("utf-8", "replace"), secret.decode("latin-1")):
        assert MASK in redact(text, [secret])
        assert "key" not in redact(text, [secret])


def test_all_types_of_secrets_are_taken():
    for secret in ("s3cr3t", b"s3cr3t", SecretStr("s3cr3t"), SecretBytes(b"s3cr3t")):
        assert redact("say s3cr3t", [secret]) == f"say {MASK}"


def test_the_mask_is_taken_as_it_is():
    assert redact("say s3cr3t", ["s3cr3t"], mask=r"\g<0>") == r"say \g<0>"


def test_hostile_text_does_not_stall():
    redactor = Redactor(['\\"' * 20 + "x", "'" * 30, "%" * 20, "\\\\\\" + "$" * 10])
    start = time.process_time()
    for text in ("\\" * 20_000, '\\"' * 5_000, "%25" * 5_000, "'" * 20_000, "'\"'\"" * 3_000):
        redactor.redact(text)
    assert time.process_time() - start < 5


class Inner(BaseModel):
    model_config = ConfigDict(extra="allow")
    token: SecretStr
    name: str = "plain"


class Outer(BaseModel):
    inner: Inner
    raw: SecretBytes
    many: dict[str, list[SecretStr]]
    key_file: PydanticSecret[dict[str, Any]]


def test_secret_fields_are_collected_at_any_depth():
    block = Outer(
        inner=Inner(token=SecretStr("one"), more=SecretStr("extra")),  # type: ignore[call-arg]
        raw=SecretBytes(b"two"),
        many={"k": [SecretStr("three"), SecretStr("four")]},
        key_file=PydanticSecret[dict[str, Any]]({"id": "five", "nested": [{"key": "six"}], "port": 1}),
    )
    assert sorted(secrets_in(block)) == sorted(["one", "extra", "two", "three", "four", "five", "six"])
    assert secrets_in({"a": "plain", "b": 1, "c": None}) == []


def emit(secret: str, write: Any) -> str:
    """Log through the filter and return what the handler writes."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(  # type: ignore[method-assign]
        handler.format(record) + json.dumps({k: str(v) for k, v in vars(record).items()})
    )
    handler.addFilter(RedactingFilter([secret]))
    logger = logging.Logger("tests.redact")  # noqa: LOG001 - apart from every other logger
    logger.addHandler(handler)
    write(logger)
    assert lines
    return "\n".join(lines)


def raise_and_log(logger: logging.Logger) -> None:
    try:
        raise ValueError(f"cannot log in with {HARD}")
    except ValueError:
        logger.exception("failed")


@pytest.mark.parametrize(
    "write",
    [
        lambda logger: logger.info("using %s", HARD),
        lambda logger: logger.info(HARD),
        lambda logger: logger.info("using %(k)s", {"k": HARD}),
        lambda logger: logger.info("using %r", [HARD]),
        lambda logger: logger.info({"k": HARD}),
        lambda logger: logger.info("does not fit %d", HARD),
        lambda logger: logger.info("with more", extra={"url": f"https://u:{quote(HARD)}@host"}),
        raise_and_log,
    ],
)
def test_a_log_record_is_masked_wherever_the_secret_is(write: Any):
    written = emit(HARD, write)
    assert MASK in written
    assert not Redactor([HARD]).found_in(written)


def test_a_masked_traceback_still_tells_the_rest():
    written = emit(HARD, raise_and_log)
    assert "ValueError: cannot log in with" in written
    assert "raise_and_log" in written


def test_a_record_without_secrets_is_unchanged():
    written = emit("s3cr3t", lambda logger: logger.info("%d of %s", 1, "two"))
    assert written.startswith("1 of two")
    assert '"name": "tests.redact"' in written


@pytest.mark.parametrize("encode", [str, quote, json.dumps, lambda s: base64.b64encode(b"user:" + s.encode()).decode()])
def test_a_secret_as_large_as_a_file_is_found_without_a_slow_search(encode):
    secret = "".join(f"line {n}: {'x' * 70}/+\n" for n in range(800))
    redactor = Redactor([secret])
    start = time.process_time()
    masked = redactor.redact(f"before {encode(secret)} after")
    assert time.process_time() - start < 5
    assert "line 7" not in masked
    assert masked.startswith("before ")
    assert masked.endswith("after")
