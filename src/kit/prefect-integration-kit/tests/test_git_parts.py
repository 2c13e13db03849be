"""The pure parts of the git layer: addresses, references, settings, headers, and what failures mean."""

from __future__ import annotations

import base64
import pickle
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefect_integration_kit._git.carrier import carry, written
from prefect_integration_kit._git.failures import as_error, meaning_of
from prefect_integration_kit._git.values import check_folder
from prefect_integration_kit.git import (
    CloneBackoff,
    GitAccessDenied,
    GitAuth,
    GitAuthenticationFailed,
    GitCertificateError,
    GitDestinationConflict,
    GitDiskFull,
    GitError,
    GitInvalidRequest,
    GitNotInstalled,
    GitReferenceNotFound,
    GitRepositoryMoved,
    GitRepositoryNotFound,
    GitUnavailable,
    check_directories,
    check_reference,
    parse_address,
)


@pytest.mark.parametrize(
    ("written", "url", "origin", "user", "password"),
    [
        ("https://h/o/r", "https://h/o/r", "https://h/", "", ""),
        ("  https://H:8443/o/r.git ", "https://h:8443/o/r.git", "https://h:8443/", "", ""),
        ("https://u@h/o/r", "https://h/o/r", "https://h/", "u", ""),
        ("https://u:p%40%2F@h/o/r", "https://h/o/r", "https://h/", "u", "p@/"),
        ("https://u:p@ss@h/o/r", "https://h/o/r", "https://h/", "u", "p@ss"),
        ("https://[::1]:80/o/r", "https://[::1]:80/o/r", "https://[::1]:80/", "", ""),
        ("https://h/a b/ü/100%/%41", "https://h/a%20b/%C3%BC/100%25/%41", "https://h/", "", ""),
        ("ssh://git@h:22/o/r", "ssh://git@h:22/o/r", "https://h/", "", ""),
        ("git@h:o/r.git", "git@h:o/r.git", "https://h/", "", ""),
        ("h:o/r", "h:o/r", "https://h/", "", ""),
        ("/srv/r", "/srv/r", "", "", ""),
        ("./r", "./r", "", "", ""),
        ("file:///srv/r", "file:///srv/r", "", "", ""),
    ],
    ids=str,
)
def test_an_address_is_read(written: str, url: str, origin: str, user: str, password: str) -> None:
    address = parse_address(written)
    assert (address.url, address.origin, address.username, address.password) == (url, origin, user, password)
    assert parse_address(address.url).url == address.url
    assert "p@" not in repr(address)


@pytest.mark.parametrize(
    "url", ["https://u:secret@", "https://u:secret@h", "https://u:secret@h:port/r", "ftp://u:secret@h/r", "-u:secret@h"]
)
def test_a_refused_address_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(GitInvalidRequest) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value) or "://" not in url


ODD = st.text(st.sampled_from("aB1-:/@[]+.~%?#\\ \n\tü\0"), max_size=24)


@given(ODD)
@example("::")
@example("?::")
@example("ext::sh")
@example("-x")
def test_no_address_that_is_taken_looks_like_an_option_or_names_a_helper(text: str) -> None:
    try:
        url = parse_address(text).url
    except GitInvalidRequest:
        return
    assert not url.startswith("-")
    # What git takes for the name of a helper: https://github.com/git/git/blob/v2.39.0/transport.c, `transport_get`
    assert not re.match(r"[A-Za-z0-9+.-]*::", url)
    assert "\n" not in url


@given(ODD)
@example("a/../b")
@example("--x")
def test_a_reference_that_is_taken_is_one_for_git(text: str) -> None:
    try:
        reference = check_reference(text)
    except GitInvalidRequest:
        return
    if reference is not None:
        assert reference[0] not in "-+^:"
        assert not set(reference) & set(" ~^:?*[\\\n\0")


@pytest.mark.parametrize(
    "reference", ["main", "feature/x", "v1.0", "a" * 40, "refs/pull/1/head", "a+b", "ü", "x@y", "release-1", "HEAD"]
)
def test_references_that_git_has_are_taken(reference: str) -> None:
    assert check_reference(reference) == reference


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_reference_is_the_default_branch(nothing: str | None) -> None:
    assert check_reference(nothing) is None


def test_folders_are_cleaned() -> None:
    assert check_folder("./a//b/", "x") == "a/b"
    assert check_folder(".", "x") == ""
    assert check_directories(["a", "./a", "", "b/"]) == ("a", "b")
    with pytest.raises(GitInvalidRequest, match="list"):
        check_directories("abc")


TEXT = st.text(st.sampled_from("aB1 \"'\\\n\t;#=[]é€\U0001f600:"), max_size=30)


@settings(max_examples=10)
@given(TEXT)
@example(' "a\\b"\t# ; \n')
@example("Authorization: Basic Og==")
def test_what_is_carried_is_what_git_reads(value: str) -> None:
    for in_memory in (True, False):
        with carry([("http.https://h.o/.x", "other"), ('some.A "b\\.value', value)], in_memory=in_memory) as carried:
            done = subprocess.run(
                ["git", *carried.arguments, "config", "--null", "--get", 'some.A "b\\.value'],
                env={"PATH": "/usr/bin:/bin:/usr/local/bin", **carried.env},
                pass_fds=carried.descriptors,
                capture_output=True,
                check=True,
            )
        assert done.stdout.decode() == f"{value}\0"


def test_carried_values_stand_in_no_repr() -> None:
    with carry([("a.b", "secret")], in_memory=False) as carried:
        assert "secret" not in repr(carried)


def test_a_setting_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        written([("noname", "x")])


@given(TEXT.filter(lambda text: ":" not in text), TEXT)
def test_basic_credentials_are_what_was_given(username: str, password: str) -> None:
    kind, _, encoded = GitAuth.basic(username, password).header.partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(encoded).decode() == f"{username}:{password}"


def test_credentials_do_not_show_themselves() -> None:
    auth = GitAuth.basic("user", "secret")
    assert repr(auth) == "GitAuth('Basic')"
    assert auth == GitAuth.basic("user", "secret") != GitAuth.basic("user", "other")
    assert pickle.loads(pickle.dumps(auth)) == auth


@pytest.mark.parametrize("header", ["", "Bearer a\nX: y", "Bearer ü"])
def test_a_header_that_is_none_is_refused_without_being_said(header: str) -> None:
    with pytest.raises(GitInvalidRequest) as caught:
        GitAuth(header)
    assert "X: y" not in str(caught.value)


def test_a_colon_in_a_user_name_is_refused() -> None:
    with pytest.raises(GitInvalidRequest, match="':'"):
        GitAuth.basic("a:b", "c")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("fatal: Authentication failed for 'https://h/'", GitAuthenticationFailed),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/'", GitAuthenticationFailed),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
         GitAuthenticationFailed),
        ("remote: TF400813: The user '' is not authorized to access this resource.", GitAuthenticationFailed),
        ("fatal: unable to access 'https://h/': Received HTTP code 407 from proxy after CONNECT",
         GitAuthenticationFailed),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403", GitAccessDenied),
        ("remote: Write access to repository not granted.\nfatal: … error: 403", GitAccessDenied),
        ("fatal: repository 'https://h/o/r/' not found", GitRepositoryNotFound),
        ("remote: Repository not found.\nfatal: repository 'https://h/o/r/' not found", GitRepositoryNotFound),
        ("remote: TF401019: The Git repository with name or identifier r does not exist", GitRepositoryNotFound),
        ("fatal: '/x' does not appear to be a git repository", GitRepositoryNotFound),
        ("fatal: https://h/info/refs not valid: is this a git repository?", GitRepositoryNotFound),
        ("warning: Could not find remote branch x to clone.\nfatal: Remote branch x not found in upstream origin",
         GitReferenceNotFound),
        ("fatal: couldn't find remote ref x", GitReferenceNotFound),
        ("fatal: remote error: upload-pack: not our ref 11", GitReferenceNotFound),
        ("fatal: unable to access 'https://h/': Could not resolve host: h", GitUnavailable),
        ("fatal: unable to access 'https://h/': Failed to connect to h port 443: Connection refused", GitUnavailable),
        ("error: RPC failed; curl 18 transfer closed with outstanding read data remaining\nfatal: early EOF",
         GitUnavailable),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 503", GitUnavailable),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 429", GitUnavailable),
        ("ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
         GitUnavailable),
        ("kex_exchange_identification: read: Connection reset by peer", GitUnavailable),
        ("fatal: the remote end hung up unexpectedly", GitUnavailable),
        ("server certificate verification failed. CAfile: none CRLfile: none", GitCertificateError),
        ("SSL certificate problem: unable to get local issuer certificate", GitCertificateError),
        ("SSL: no alternative certificate subject name matches target host name 'h'", GitCertificateError),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", GitCertificateError),
        ("error: file write error: No space left on device\nfatal: unable to write loose object", GitDiskFull),
        ("error: unable to write file a: Disk quota exceeded\nfatal: early EOF", GitDiskFull),
        ("fatal: destination path 'x' already exists and is not an empty directory.", GitDestinationConflict),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 301", GitRepositoryMoved),
        ("git: 'lfs' is not a git command. See 'git --help'.", GitNotInstalled),
        ("fatal: transport 'file' not allowed", GitAccessDenied),
        ("fatal: detected dubious ownership in repository at '/x'", GitAccessDenied),
        ("error: unable to write file a\nfatal: unable to checkout working tree", GitError),
        ("fatal: could not create work tree dir 'x': Permission denied", GitError),
        ("error: invalid path 'aux.txt'", GitError),
        ("error: index-pack died of signal 25\nfatal: fetch-pack: invalid index-pack output", GitDiskFull),
        ("fatal: write error: File too large\nfatal: fetch-pack: invalid index-pack output", GitDiskFull),
        ("fatal: something else", GitError),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else None,
)  # fmt: skip
def test_what_git_says_has_a_meaning(text: str, error: type[GitError]) -> None:
    assert meaning_of(text).error is error
    raised = as_error("Repository https://h/o/r", 128, text, meaning_of(text))
    assert type(raised) is error
    assert str(raised).startswith("Repository https://h/o/r could not be pulled. ")
    assert text.splitlines()[-1] in str(raised)


def test_a_signal_is_told() -> None:
    assert "signal 9" in str(as_error("Repository r", -9, "", meaning_of("", -9)))


def test_a_file_that_may_not_become_so_large_is_told() -> None:
    error = as_error("Repository r", -25, "", meaning_of("", -25))
    assert isinstance(error, GitDiskFull)
    assert "ulimit -f" in str(error)


@pytest.mark.parametrize("field", ["Username", "Password"])
def test_that_nobody_could_be_asked_is_told_as_credentials_that_are_refused_or_missing(field: str) -> None:
    text = f"fatal: could not read {field} for 'https://h': terminal prompts disabled"
    meaning = meaning_of(text)
    refused = as_error("R", 128, text, meaning)
    missing = as_error("R", 128, text, meaning, has_credentials=False)
    assert type(refused) is type(missing) is GitAuthenticationFailed
    assert "does not accept the credentials. Check that the token is whole" in str(refused)
    assert "asks for credentials, and there are none. Give some" in str(missing)
    for error in (refused, missing):
        assert "could not read" not in str(error)
        assert "terminal" not in str(error)


def test_credentials_of_a_helper_that_are_refused_are_not_told_as_missing() -> None:
    text = "remote: Invalid username or token.\nfatal: Authentication failed for 'https://h/'"
    said = str(as_error("R", 128, text, meaning_of(text), has_credentials=False))
    assert "does not accept the credentials" in said
    assert "remote: Invalid username or token." in said


def test_waits_between_attempts_hardly_grow() -> None:
    backoff = CloneBackoff(wait_seconds=1, jitter_seconds=(0, 3), random=lambda: 0.5)
    assert [backoff.next_delay(number, 0) for number in (1, 2, 3)] == [2.5, 2.5, None]
    assert backoff.delay(1, retry_after_seconds=9) == 9


def test_errors_are_pickled_whole(tmp_path: Path) -> None:
    for error in (GitUnavailable("x", subject="s"), GitInvalidRequest("x"), GitNotInstalled("x")):
        copied = pickle.loads(pickle.dumps(error))
        assert (type(copied), str(copied), copied.subject) == (type(error), "x", error.subject)
