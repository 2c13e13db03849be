"""Addresses: what users write is read as they mean it, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_email._addresses import Address, format_address, parse_addresses
from prefect_email.errors import InvalidEmail

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).map(
    lambda text: " ".join(text.split())
)
SPECS = st.from_regex(r"[a-z0-9._+-]{1,20}@[a-z0-9-]{1,20}\.example", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@x.com", [Address("a@x.com")]),
        ("a@x.com,b@x.com", [Address("a@x.com"), Address("b@x.com")]),
        (" a@x.com , , b@x.com ,", [Address("a@x.com"), Address("b@x.com")]),
        ("Ann <a@x.com>, b@x.com", [Address("a@x.com", "Ann"), Address("b@x.com")]),
        ('"Doe, Jane" <j@x.com>', [Address("j@x.com", "Doe, Jane")]),
        (r'"say \"hi\"" <j@x.com>', [Address("j@x.com", 'say "hi"')]),
        ("j@x.com (Jane)", [Address("j@x.com", "Jane")]),
        ("<j@x.com>", [Address("j@x.com")]),
        ("Jörg <j@x.com>", [Address("j@x.com", "Jörg")]),
        ("j@münchen.de", [Address("j@xn--mnchen-3ya.de")]),
        ("jörg@x.com", [Address("jörg@x.com")]),
        ('"odd local"@x.com', [Address('"odd local"@x.com')]),
        ("root", [Address("root")]),
        ("a@[127.0.0.1]", [Address("a@[127.0.0.1]")]),
        (["a@x.com", "b@x.com, c@x.com"], [Address(f"{c}@x.com") for c in "abc"]),
        (("a@x.com",), [Address("a@x.com")]),
        ("", []),
        (None, []),
        ([], []),
    ],
)
def test_addresses_are_read(text: str | list[str] | None, expected: list[Address]) -> None:
    assert list(parse_addresses("email_to", text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "not an address",
        "a@x.com b@x.com",
        "a@b@x.com",
        "Ann <a@x.com",
        "a@x.com>",
        "<>",
        "@x.com",
        "a@",
        "a@x.com; b@x.com",
        "alice@x.com)bob@evil.com",
        "<alice@x.com>bob@evil.com",
        'a"b@x.com',
        f"a@{'ü' * 80}.de",
    ],
)
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidEmail, match=r"email_to.*"):
        parse_addresses("email_to", text)


@given(NAMES, SPECS)
def test_a_written_address_reads_as_itself(name: str, spec: str) -> None:
    address = Address(spec, name)
    assert parse_addresses("email_to", format_address(address)) == (address,)


@given(st.lists(st.builds(Address, SPECS, NAMES), max_size=8))
def test_a_list_of_addresses_reads_as_itself(addresses: list[Address]) -> None:
    text = ", ".join(map(format_address, addresses))
    assert list(parse_addresses("email_to", text)) == addresses


@given(st.text())
def test_any_text_is_read_or_refused_and_never_yields_a_line_break_in_an_address(text: str) -> None:
    try:
        addresses = parse_addresses("email_to", text)
    except InvalidEmail:
        return
    assert all(len(address.spec.split()) <= 1 or '"' in address.spec for address in addresses)
