"""Writing the generated part of a site: what changes, what stays, and what bad input does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_docs.configuration import ConfigurationError, read

REFERENCE = "docs/integrations/prefect-acme/api-ref"


def names(repository: Any, paths: list[Path]) -> list[str]:
    return sorted(path.relative_to(repository.root).as_posix() for path in paths)


def test_everything_is_written_once(repository: Any) -> None:
    repository.package("prefect-acme", __init__="", a="def f(): ...\n", empty="x = 1\n", _private="def g(): ...\n")

    outcome = repository.generate()

    assert names(repository, outcome.missing) == [
        f"{REFERENCE}/prefect_acme-a.mdx",
        "docs/llms.txt",
        "docs/v3/examples/hello.mdx",
        "docs/v3/examples/index.mdx",
    ]
    assert names(repository, outcome.stale) == ["docs/docs.json"]
    assert repository.problems(outcome) == []
    again = repository.generate()
    assert again.is_current
    assert again.rendered == []


def test_check_writes_nothing_and_names_stale_missing_and_orphaned_pages(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n", b="def g(): ...\n", c="def h(): ...\n")
    repository.generate()
    repository.path("prefect_acme-a").write_text("by hand", encoding="utf-8")
    repository.path("prefect_acme-b").unlink()
    repository.path("prefect_acme-old").write_text("old", encoding="utf-8")
    before = {path: path.read_bytes() for path in repository.root.rglob("docs/**/*") if path.is_file()}

    outcome = repository.generate(write=False)

    assert names(repository, outcome.missing) == [f"{REFERENCE}/prefect_acme-b.mdx"]
    assert names(repository, outcome.orphaned) == [f"{REFERENCE}/prefect_acme-old.mdx"]
    assert names(repository, outcome.stale) == ["docs/docs.json", f"{REFERENCE}/prefect_acme-a.mdx"]
    assert {path: path.read_bytes() for path in repository.root.rglob("docs/**/*") if path.is_file()} == before


@pytest.mark.parametrize("cache", [True, False])
def test_only_pages_whose_sources_changed_are_rendered_again(repository: Any, cache: bool) -> None:
    repository.package(
        "prefect-acme",
        base="class Base:\n    def old(self): ...\n",
        child="from prefect_acme.base import Base\n\nclass Child(Base): ...\n",
        apart="def f(): ...\n",
        speaks='def g():\n    """See `prefect_acme.base.Base`."""\n',
    )
    repository.generate(cache=cache)
    repository.package("prefect-acme", base="class Base:\n    def new(self): ...\n")

    outcome = repository.generate(cache=cache)

    expected = [".base", ".child", ".speaks"] if cache else ["", ".apart", ".base", ".child", ".speaks"]
    assert sorted(outcome.rendered) == [f"prefect-acme/prefect_acme{name}" for name in expected]
    assert "#### `new`" in repository.page("prefect_acme-child")


def test_a_link_appears_once_its_target_does_and_goes_with_it(repository: Any) -> None:
    repository.package("prefect-acme", speaks='def g():\n    """See `prefect_acme.late.Thing`."""\n')
    repository.generate()
    assert "See `prefect_acme.late.Thing`." in repository.page("prefect_acme-speaks")

    repository.package("prefect-acme", late="class Thing: ...\n")
    repository.generate()
    assert "See [`prefect_acme.late.Thing`](/integrations/prefect-acme/api-ref/prefect_acme-late#thing)." in (
        repository.page("prefect_acme-speaks")
    )

    (repository.root / "src/integrations/prefect-acme/prefect_acme/late.py").unlink()
    repository.generate()
    assert "See `prefect_acme.late.Thing`." in repository.page("prefect_acme-speaks")


def test_a_damaged_cache_counts_as_none(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n")
    repository.generate()
    before = repository.page("prefect_acme-a")
    for path in (repository.root / ".cache").rglob("*.json"):
        path.write_text("{", encoding="utf-8")
    repository.path("prefect_acme-a").unlink()

    repository.generate()

    assert repository.page("prefect_acme-a") == before


def test_the_same_sources_give_the_same_bytes_anywhere(repository: Any, tmp_path_factory: Any) -> None:
    repository.package(
        "prefect-acme", a='"""A."""\ndef f(x=[1, 2]): ...\n', b="from prefect_acme.a import f\nclass B: ...\n"
    )
    repository.generate(cache=False)
    elsewhere = type(repository)(tmp_path_factory.mktemp("elsewhere") / "copy")
    shutil.copytree(repository.root, elsewhere.root)
    shutil.rmtree(elsewhere.root / REFERENCE)

    elsewhere.generate(cache=False)

    def content(root: Path) -> dict[str, bytes]:
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.glob("docs/**/*") if p.is_file()}

    assert content(elsewhere.root) == content(repository.root)
    assert str(repository.root) not in "".join(text.decode() for text in content(repository.root).values())


def test_nothing_is_imported(repository: Any) -> None:
    trap = "import sys\nraise SystemExit('imported')\n\ndef f():\n    '''Do.'''\n"
    repository.package(
        "prefect-acme", __init__=trap, a=trap, b="import not_installed\nfrom nowhere import *\nclass B: ...\n"
    )

    assert repository.problems(repository.generate()) == []
    assert "### `f`" in repository.page("prefect_acme-a")


# --- navigation ------------------------------------------------------------------------------------------------------


def test_navigation_lists_root_modules_then_a_group_for_each_subpackage(repository: Any) -> None:
    function = "def f(): ...\n"
    repository.package(
        "prefect-acme",
        __init__=function,
        zebra=function,
        apple=function,
        workers__init=function,
        workers__ecs=function,
        cli__configs__init=function,
        cli__configs__base=function,
        cli__commands=function,
        alone__init=function,
    )
    before = repository.site()

    repository.generate()

    site = repository.site()
    base = "integrations/prefect-acme/api-ref"
    group = site["navigation"]["tabs"][0]["groups"][0]["pages"][0]["pages"][1]
    assert group == {
        "group": "SDK Reference",
        "anchor": "prefect-acme-sdk-reference",
        "pages": [
            f"{base}/prefect_acme-__init__",
            f"{base}/prefect_acme-alone",
            f"{base}/prefect_acme-apple",
            f"{base}/prefect_acme-zebra",
            {
                "group": "prefect_acme.cli",
                "pages": [
                    f"{base}/prefect_acme-cli-commands",
                    {
                        "group": "configs",
                        "pages": [
                            f"{base}/prefect_acme-cli-configs-__init__",
                            f"{base}/prefect_acme-cli-configs-base",
                        ],
                    },
                ],
            },
            {
                "group": "prefect_acme.workers",
                "pages": [f"{base}/prefect_acme-workers-__init__", f"{base}/prefect_acme-workers-ecs"],
            },
        ],
    }
    assert list(site) == list(before)
    assert site["navigation"]["tabs"][1]["pages"][1]["pages"] == ["v3/examples/hello"]


def test_a_removed_page_leaves_a_redirect_and_one_that_returns_takes_it_back(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n", b="def g(): ...\n")
    repository.generate()
    module = repository.root / "src/integrations/prefect-acme/prefect_acme/b.py"
    module.unlink()

    outcome = repository.generate()

    assert names(repository, outcome.orphaned) == [f"{REFERENCE}/prefect_acme-b.mdx"]
    assert not repository.path("prefect_acme-b").exists()
    assert repository.site()["redirects"] == [
        {
            "source": "/integrations/prefect-acme/api-ref/prefect_acme-b",
            "destination": "/integrations/prefect-acme/index",
        }
    ]
    module.write_text("def g(): ...\n", encoding="utf-8")
    repository.generate()
    assert repository.site()["redirects"] == []


def test_redirects_never_form_a_chain(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n", b="def g(): ...\n")
    repository.generate()
    site = repository.site()
    gone = "/integrations/prefect-acme/api-ref/prefect_acme-b"
    site["redirects"] = [{"source": "/older", "destination": gone}]
    repository.write("docs/docs.json", json.dumps(site))
    (repository.root / "src/integrations/prefect-acme/prefect_acme/b.py").unlink()

    repository.generate()

    assert {r["destination"] for r in repository.site()["redirects"]} == {"/integrations/prefect-acme/index"}


def test_a_published_page_stays_even_when_it_has_nothing_to_show(repository: Any) -> None:
    repository.write(
        "published.txt",
        "# comment\nintegrations/prefect-acme/api-ref/prefect_acme-bare\n"
        "integrations/prefect-acme/api-ref/prefect_acme-said\n"
        "integrations/prefect-acme/api-ref/prefect_acme-moved\n",
    )
    repository.package(
        "prefect-acme",
        bare="x = 1\n",
        said='"""All that there is."""\n',
        other="x = 1\n",
        moved='from prefect_acme.new import run\n__all__ = ["run"]\n',
        new="def run(): ...\n",
    )

    repository.generate()

    assert repository.page("prefect_acme-bare").endswith(
        "# `prefect_acme.bare`\n\nThis module has no public members.\n"
    )
    assert repository.page("prefect_acme-said").endswith("# `prefect_acme.said`\n\nAll that there is.\n")
    assert not repository.path("prefect_acme-other").exists()
    assert repository.page("prefect_acme-moved").endswith(
        "This module has no public members.\n\n"
        "It passes on [`run`](/integrations/prefect-acme/api-ref/prefect_acme-new#run).\n"
    )


def test_what_a_private_module_defines_stands_where_it_is_listed(repository: Any) -> None:
    repository.package(
        "prefect-acme",
        __init__='from .jobs import Job\n__all__ = ["Job"]\n',
        jobs='"""See `Job`."""\nfrom ._jobs import LIMIT, Job, submit\n__all__ = ["LIMIT", "Job", "submit"]\n',
        other='"""See `prefect_acme.Job.stop` and `prefect_acme._jobs.submit`."""\ndef f(): ...\n',
        _jobs=(
            "from .other import f\nLIMIT = 3\n"
            'def submit(): ...\ndef hidden(): ...\nclass Job:\n    """A job, like `f`."""\n    def stop(self): ...\n'
        ),
    )
    repository.generate()
    page = repository.page("prefect_acme-jobs")
    home = "/integrations/prefect-acme/api-ref/prefect_acme-jobs"
    assert "hidden" not in page
    for name in ("### `submit`", "### `Job`", "#### `stop`", "_jobs.py#L5", "`LIMIT` = `3`"):
        assert name in page
    assert "A job, like [`f`](/integrations/prefect-acme/api-ref/prefect_acme-other#f)" in page
    assert f"[`prefect_acme.Job.stop`]({home}#stop)" in repository.page("prefect_acme-other")
    assert f"[`prefect_acme._jobs.submit`]({home}#submit)" in repository.page("prefect_acme-other")
    assert not repository.path("prefect_acme-__init__").exists()


def test_nothing_links_to_a_module_without_a_page(repository: Any) -> None:
    repository.write("published.txt", "integrations/prefect-acme/api-ref/prefect_acme-kept\n")
    repository.package(
        "prefect-acme",
        a='"""See `prefect_acme.bare` and `prefect_acme.kept`."""\ndef f(): ...\n',
        bare='"""Nothing."""\n',
        kept='"""Nothing, but known."""\n',
    )
    repository.generate()
    page = repository.page("prefect_acme-a")
    assert "See `prefect_acme.bare` and " in page
    assert "[`prefect_acme.kept`](/integrations/prefect-acme/api-ref/prefect_acme-kept)" in page


def test_one_package_can_be_done_alone(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n")
    repository.package("prefect-other", __init__="", b="def g(): ...\n")
    site = repository.site()
    groups = site["navigation"]["tabs"][0]["groups"][0]["pages"]
    groups.append({"group": "Other", "pages": [{"group": "R", "anchor": "prefect-other-sdk-reference", "pages": []}]})
    repository.write("docs/docs.json", json.dumps(site))

    outcome = repository.generate("prefect-other")

    assert names(repository, outcome.missing) == ["docs/integrations/prefect-other/api-ref/prefect_other-b.mdx"]
    assert repository.generate("other").is_current


def test_llms_txt_lists_guides_and_reference(repository: Any) -> None:
    repository.package("prefect-acme", a='"""All of `A`.\n\nMore."""\ndef f(): ...\n')

    repository.generate()

    assert (repository.root / "docs/llms.txt").read_text(encoding="utf-8") == (
        "# Things\n\n> All things.\n\n## Integrations\n\n"
        "- [Acme](https://docs.example.com/integrations/prefect-acme/index.md): All of Acme.\n\n"
        "## API reference of prefect-acme\n\n"
        "- [prefect_acme.a](https://docs.example.com/integrations/prefect-acme/api-ref/prefect_acme-a.md): "
        "All of `A`.\n\n"
        "## Examples\n\n"
        "- [Overview](https://docs.example.com/v3/examples/index.md): "
        "Programs that show integrations at work, and run as they stand.\n"
        "- [Hello](https://docs.example.com/v3/examples/hello.md): Say hello.\n"
    )


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_syntax_error_is_named_and_the_page_and_all_others_stay(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n", b="def g(): ...\n")
    repository.generate()
    before = repository.page("prefect_acme-a")
    repository.package("prefect-acme", a="def f(:\n", b="def h(): ...\n")

    outcome = repository.generate()

    assert repository.problems(outcome) == [
        "src/integrations/prefect-acme/prefect_acme/a.py:1: not valid Python: invalid syntax"
    ]
    assert repository.page("prefect_acme-a") == before
    assert "### `h`" in repository.page("prefect_acme-b")
    assert outcome.orphaned == []
    # It is said again as long as it is there, though nothing changed.
    assert repository.problems(repository.generate()) == repository.problems(outcome)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x = '\0'\n"])
def test_a_file_that_is_no_text_is_named(repository: Any, content: bytes) -> None:
    repository.package("prefect-acme", a="", b="def g(): ...\n")
    (repository.root / "src/integrations/prefect-acme/prefect_acme/a.py").write_bytes(content)

    outcome = repository.generate()

    assert [line.partition(": ")[0] for line in repository.problems(outcome)] == [
        "src/integrations/prefect-acme/prefect_acme/a.py:1"
    ]
    assert repository.path("prefect_acme-b").is_file()


def test_a_package_without_init_is_named_and_written(repository: Any) -> None:
    (repository.root / "src/integrations/prefect-acme/prefect_acme/__init__.py").unlink()
    repository.package("prefect-acme", a="def f(): ...\n")

    outcome = repository.generate()

    assert repository.problems(outcome) == [
        (
            "src/integrations/prefect-acme/prefect_acme/__init__.py:1: the package has no __init__.py; add it, or it "
            "cannot be installed and typed as a package"
        )
    ]
    assert repository.path("prefect_acme-a").is_file()


def test_a_circular_base_class_is_named_and_written(repository: Any) -> None:
    repository.package("prefect-acme", a="\nclass A(B): ...\n\nclass B(A): ...\n", b="def f(): ...\n")

    outcome = repository.generate()

    (problem,) = repository.problems(outcome)
    assert problem.startswith("src/integrations/prefect-acme/prefect_acme/a.py:2: this class inherits from itself")
    assert repository.path("prefect_acme-a").is_file()
    assert repository.path("prefect_acme-b").is_file()


def test_a_section_that_does_not_parse_is_named_and_kept_as_text(repository: Any) -> None:
    repository.package(
        "prefect-acme",
        a='def f(x: int):\n    """Do.\n\n    Args:\n        x: Fine.\n        what is this\n\n    Returns:\n    """\n',
        b="def g(): ...\n",
    )

    outcome = repository.generate()

    lines = repository.problems(outcome)
    assert lines[0].startswith("src/integrations/prefect-acme/prefect_acme/a.py:6: ")
    assert "what is this" in lines[0]
    assert "what is this" in repository.page("prefect_acme-a")
    assert repository.path("prefect_acme-b").is_file()


def test_a_documented_parameter_that_is_not_there_is_a_warning(repository: Any) -> None:
    repository.package("prefect-acme", a='def f(x: int):\n    """Do.\n\n    Args:\n        y: Not there.\n    """\n')

    outcome = repository.generate()

    assert repository.problems(outcome) == [
        (
            "src/integrations/prefect-acme/prefect_acme/a.py:5: warning: Parameter 'y' does not appear in the function "
            "signature"
        )
    ]


def test_two_files_of_one_module_are_named(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n", a__init="def g(): ...\n")

    outcome = repository.generate()

    (problem,) = repository.problems(outcome)
    assert problem.startswith("src/integrations/prefect-acme/prefect_acme/a.py:1: prefect_acme.a is also __init__.py")
    assert "### `g`" in repository.page("prefect_acme-a")


def test_two_packages_that_claim_one_page_are_named(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n")
    config = (repository.root / "pyproject.toml").read_text(encoding="utf-8")
    repository.write("pyproject.toml", config.replace('"src/integrations/*"]', '"src/integrations/*", "more/*"]'))
    repository.write("more/prefect-acme/pyproject.toml", "")
    repository.write("more/prefect-acme/prefect_acme/a.py", "def other(): ...\n")

    outcome = repository.generate()

    (problem,) = repository.problems(outcome)
    assert problem.startswith("more/prefect-acme/pyproject.toml:1: its pages are also those of ")
    assert "### `f`" in repository.page("prefect_acme-a")


def test_an_example_without_front_matter_has_no_page_and_is_named(repository: Any) -> None:
    repository.write("examples/bare.py", "print('hello')\n")

    outcome = repository.generate()

    assert [line.partition(": ")[0] for line in repository.problems(outcome)] == ["examples/bare.py:1"]
    assert not (repository.root / "docs/v3/examples/bare.mdx").exists()
    assert (repository.root / "docs/v3/examples/hello.mdx").is_file()


def test_a_broken_example_keeps_its_page(repository: Any) -> None:
    repository.generate()
    repository.write("examples/hello.py", "# ---\n# title: Hello\n# ---\n")

    outcome = repository.generate()

    assert outcome.orphaned == []
    assert (repository.root / "docs/v3/examples/hello.mdx").is_file()
    assert any(line.startswith("examples/hello.py:1: ") for line in repository.problems(outcome))


def test_a_navigation_without_a_place_for_the_package_is_named(repository: Any) -> None:
    repository.write("docs/docs.json", '{"navigation": {"tabs": []}}')
    repository.package("prefect-acme", a="def f(): ...\n")

    outcome = repository.generate()

    lines = repository.problems(outcome)
    assert any('add {"group": "SDK Reference", "anchor": "prefect-acme-sdk-reference"' in line for line in lines)
    assert any('no group "Examples"' in line for line in lines)
    assert repository.path("prefect_acme-a").is_file()


def test_a_navigation_that_is_no_json_is_named_with_its_line(repository: Any) -> None:
    repository.write("docs/docs.json", '{\n  "navigation": }\n')
    repository.package("prefect-acme", a="def f(): ...\n")

    outcome = repository.generate()

    assert repository.problems(outcome) == ["docs/docs.json:2: not valid JSON: Expecting value"]
    assert repository.path("prefect_acme-a").is_file()


def test_without_a_package_that_classes_inherit_from_nothing_is_written(repository: Any) -> None:
    config = (repository.root / "pyproject.toml").read_text(encoding="utf-8")
    elsewhere = '\n[tool.prefect-integration-docs.elsewhere]\nnot_installed = "https://docs.example.com"\n'
    repository.write("pyproject.toml", config + elsewhere)
    repository.package("prefect-acme", a="def f(): ...\n")

    with pytest.raises(ConfigurationError, match="names not_installed, which is not installed here"):
        repository.generate()

    assert not repository.path("prefect_acme-a").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no [tool.prefect-integration-docs]"),
        ("[tool", "pyproject.toml: "),
        ("[tool.prefect-integration-docs]\npackage = []\n", "prefect-integration-docs.package is unknown"),
        ("[tool.prefect-integration-docs]\npackages = 3\n", "packages must be a list of texts"),
        ("[tool.prefect-integration-docs]\ndocs = []\n", "docs must be a text"),
        ("[tool.prefect-integration-docs]\nelsewhere = 'x'\n", "elsewhere must be a table"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path)

    assert message in str(caught.value)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)


# --- the command -----------------------------------------------------------------------------------------------------


def command(repository: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect_integration_docs", *arguments],
        cwd=repository.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_says_what_it_does_and_answers_by_its_exit_code(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n")

    stale = command(repository, "generate", "--check")
    assert (stale.returncode, stale.stdout.splitlines()[:2]) == (
        1,
        ["stale: docs/docs.json", f"missing: {REFERENCE}/prefect_acme-a.mdx"],
    )
    wrote = command(repository, "generate")
    assert wrote.returncode == 0
    assert f"wrote: {REFERENCE}/prefect_acme-a.mdx" in wrote.stdout
    assert command(repository, "generate", "--check").returncode == 0
    quiet = command(repository, "generate")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "change",
    [
        "src/integrations/prefect-acme/prefect_acme/a.py",
        f"{REFERENCE}/prefect_acme-a.mdx",
        "docs/docs.json",
        "docs/llms.txt",
        "examples/hello.py",
        "published.txt",
        "pyproject.toml",
    ],
)
def test_a_change_anywhere_is_seen(repository: Any, change: str) -> None:
    from prefect_integration_docs.freshness import Hashes, Snapshot

    repository.package("prefect-acme", a="def f(): ...\n")
    assert command(repository, "generate").returncode == 0
    file = str(repository.root / ".cache/prefect-integration-docs/snapshot.json")
    assert Snapshot(file, Hashes()).recall() == []

    changed = repository.root / change
    changed.write_bytes(changed.read_bytes() + b"\n")

    assert Snapshot(file, Hashes()).recall() is None


def test_a_new_package_is_seen(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(): ...\n")
    assert command(repository, "generate").returncode == 0

    repository.package("prefect-new", __init__="")

    assert command(repository, "generate", "--check").returncode == 1


def test_what_is_wrong_is_said_again_when_nothing_changed(repository: Any) -> None:
    repository.package("prefect-acme", a="def f(:\n")

    first, second = command(repository, "generate"), command(repository, "generate")

    assert first.returncode == second.returncode == 1
    assert (
        first.stderr
        == second.stderr
        == ("src/integrations/prefect-acme/prefect_acme/a.py:1: not valid Python: invalid syntax\n")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "prefect-nothing"), "no distribution is named 'prefect-nothing'; there are: prefect-acme"),
        (("generate", "--out", "x"), "--out takes exactly one package"),
        (("generate", "no_such_package", "--out", "x"), "neither a folder nor an installed package"),
        (("generate", "--root", "docs"), "there is no such file"),
    ],
)
def test_a_call_that_cannot_be_run_says_why(repository: Any, arguments: tuple[str, ...], message: str) -> None:
    done = command(repository, *arguments)

    assert done.returncode == 2
    assert message in done.stderr


def test_any_package_can_be_documented_by_its_folder_or_name(repository: Any, tmp_path: Path) -> None:
    repository.write("thing/__init__.py", '"""A thing."""\n')
    repository.write("thing/sub/part.py", "def f(x: int = 1): ...\n")

    by_folder = command(
        repository, "generate", "thing", "--out", "pages", "--url", "/api", "--source", "https://example.com/src",
        "--navigation", "nav.json",
    )  # fmt: skip
    by_name = command(repository, "generate", "yaml", "--out", "yaml-pages", "--no-cache")

    assert by_folder.returncode == 0
    page = (repository.root / "pages/thing-sub-part.mdx").read_text(encoding="utf-8")
    assert "f(x: int = 1)" in page
    assert 'href="https://example.com/src/thing/sub/part.py#L1"' in page
    assert json.loads((repository.root / "nav.json").read_text(encoding="utf-8")) == [
        {"group": "thing.sub", "pages": ["api/thing-sub-part"]}
    ]
    assert by_name.returncode == 0
    assert "### `Loader`" in (repository.root / "yaml-pages/yaml-loader.mdx").read_text(encoding="utf-8")
