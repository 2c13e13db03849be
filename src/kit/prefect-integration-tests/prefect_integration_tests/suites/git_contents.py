"""What a pull brings: which commit, which parts of it, and where they are put."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from prefect_integration_tests.backends._git.repositories import BareRepository, Link, Submodule, run_git
from prefect_integration_tests.faces import Call

from .git_host import TREE, GitHostSuite, read_tree

if TYPE_CHECKING:
    from prefect_integration_tests.backends.git_server import GitServer


class GitContentsSuite(GitHostSuite):
    """Checks what comes, and where it goes."""

    async def test_a_repository_comes_as_it_is(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path
    ) -> None:
        """All files with their content and mode, links as links; and a working copy that knows no credentials."""
        git_server.require(self.authorization("token"))
        block = self.block(git_server.url(remote), "token")
        await call(block, "get_directory", local_path=str(tmp_path / "code"))
        assert read_tree(tmp_path / "code") == TREE
        assert run_git("status", "--porcelain", folder=tmp_path / "code") == ""
        assert run_git("rev-parse", "HEAD", folder=tmp_path / "code") == remote.resolve("refs/heads/main")
        assert run_git("config", "remote.origin.url", folder=tmp_path / "code") == git_server.url(remote)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["code"]

    async def test_defaults_mean_the_whole_repository_and_the_working_directory(
        self,
        git_server: GitServer,
        remote: BareRepository,
        call: Call,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Without arguments, the default branch comes into the working directory; what is there stays."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.txt").write_bytes(b"mine")
        (tmp_path / "flow.py").write_bytes(b"old")
        await call(self.block(git_server.url(remote)), "get_directory")
        assert read_tree(tmp_path) == {**TREE, "mine.txt": b"mine"}

    async def test_the_sync_name_can_be_awaited_on_a_loop(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Rule 2: inside an event loop the sync name hands out a coroutine."""
        await self.block(git_server.url(remote)).get_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == TREE

    @pytest.mark.parametrize("kind", ["branch", "tag", "commit", "short-commit", "pull-request", "full", "digits"])
    async def test_each_kind_of_reference_is_found(
        self, kind: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A branch, a tag, a commit that no branch ends at, its short form, a pull request's reference."""
        wanted = remote.commit({"flow.py": b"wanted"}, branch="feature/x")
        remote.commit({"flow.py": b"later"}, branch="feature/x")
        remote.tag("v1.0", wanted, annotated=True)
        remote.tag("20240101", wanted)
        remote.set_reference("refs/pull/7/head", wanted)
        references = {
            "branch": "feature/x",
            "tag": "v1.0",
            "commit": wanted,
            "short-commit": wanted[:10],
            "pull-request": "pull/7/head",
            "full": "refs/tags/v1.0",
            "digits": "20240101",
        }
        block = self.block(git_server.url(remote), reference=references[kind])
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == (b"later" if kind == "branch" else b"wanted")

    async def test_of_a_branch_and_a_tag_of_one_name_the_branch_is_meant(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """As `git clone --branch` has it; the tag can be named in full."""
        remote.tag("same", remote.commit({"flow.py": b"tag"}, branch="other"))
        remote.commit({"flow.py": b"branch"}, branch="same")
        for reference, content in (("same", b"branch"), ("refs/tags/same", b"tag")):
            block = self.block(git_server.url(remote), reference=reference)
            await block.aget_directory(local_path=str(tmp_path / content.decode()))
            assert (tmp_path / content.decode() / "flow.py").read_bytes() == content

    async def test_a_commit_is_found_at_a_server_that_hands_out_branches_only(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Then all of the history is fetched."""
        wanted = remote.commit({"flow.py": b"wanted"})
        remote.commit({"flow.py": b"later"})
        remote.configure("uploadpack.allowAnySHA1InWant", "false")
        remote.configure("protocol.version", "0")
        run = self.block(git_server.url(remote), reference=wanted)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_CONFIG_COUNT", "1")
            patch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
            patch.setenv("GIT_CONFIG_VALUE_0", "0")
            await run.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"wanted"

    @pytest.mark.parametrize("depth", [1, 2, None])
    async def test_history_goes_as_deep_as_is_asked(
        self, depth: int | None, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """One commit, some, or all."""
        for number in range(3):
            remote.commit({"number": str(number).encode()})
        await self.block(git_server.url(remote), depth=depth).aget_directory(local_path=str(tmp_path))
        assert run_git("rev-list", "--count", "HEAD", folder=tmp_path) == str(depth or 4)

    # Parts

    async def test_a_folder_comes_without_the_rest(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path
    ) -> None:
        """It keeps its path. Links inside it stay links; one to another part of the repository becomes a copy."""
        block = self.block(git_server.url(remote))
        await call(block, "get_directory", from_path="flows", local_path=str(tmp_path))
        inside = {name: content for name, content in TREE.items() if name.startswith("flows/")}
        assert read_tree(tmp_path) == {**inside, "flows/shared.py": TREE["lib/shared.py"]}
        assert not (tmp_path / ".git").exists()

    async def test_a_folder_may_be_a_link_to_one(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A link in the repository to one of its folders is followed."""
        block = self.block(git_server.url(remote))
        await block.aget_directory(from_path="up", local_path=str(tmp_path))
        assert (tmp_path / "up/main.py").read_bytes() == TREE["flows/etl/main.py"]

    @pytest.mark.parametrize("from_path", ["../x", "/etc", "flows/../../x", "outside", "outside/x", "--x", ".git"])
    async def test_no_folder_outside_of_the_repository_is_read(
        self, from_path: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Neither by its path nor through a link in the repository."""
        remote.commit({"outside": Link("/etc"), "x/y": b""})
        (tmp_path / "to").mkdir()
        block = self.block(git_server.url(remote))
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            await block.aget_directory(from_path=from_path, local_path=str(tmp_path / "to"))
        assert from_path in str(caught.value)
        assert read_tree(tmp_path / "to") == {}

    async def test_a_missing_folder_is_named(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path
    ) -> None:
        """And nothing is written."""
        block = self.block(git_server.url(remote))
        with pytest.raises(FileNotFoundError, match="'flows/nowhere' does not exist"):
            await call(block, "get_directory", from_path="flows/nowhere", local_path=str(tmp_path))
        assert not list(tmp_path.iterdir())

    async def test_only_the_wanted_directories_come(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A sparse checkout: the files at the root, and the folders that are named."""
        block = self.block(git_server.url(remote), directories=["lib", "flows/etl"])
        await block.aget_directory(local_path=str(tmp_path))
        # Files beside a wanted folder belong to a cone (https://git-scm.com/docs/git-sparse-checkout).
        assert read_tree(tmp_path) == TREE
        await self.block(git_server.url(remote), directories=["lib"]).aget_directory(local_path=str(tmp_path / "lib"))
        assert not [name for name in read_tree(tmp_path / "lib") if name.startswith("flows/")]
        assert (tmp_path / "lib/lib/shared.py").exists()

    async def test_directories_of_a_commit_come(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A commit and directories go together; a directory that is not there is named."""
        commit = remote.resolve("refs/heads/main")
        block = self.block(git_server.url(remote), reference=commit, directories=["lib"])
        await block.aget_directory(local_path=str(tmp_path))
        assert "lib/shared.py" in read_tree(tmp_path)
        assert "flows/etl/main.py" not in read_tree(tmp_path)
        block = self.block(git_server.url(remote), directories=["nowhere"])
        with pytest.raises(FileNotFoundError, match="'nowhere'"):
            await block.aget_directory(local_path=str(tmp_path))

    async def test_submodules_come_with_the_same_credentials(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Those on the same host, by a full or a relative address, nested; none unless it is asked for."""
        git_server.require(self.authorization("token"))
        inner = git_server.repository(f"{self.repository_path}-inner")
        inner_commit = inner.commit({"inner.py": b"inner"})
        outer = git_server.repository(f"{self.repository_path}-outer")
        gitmodules = f'[submodule "inner"]\n\tpath = inner\n\turl = {git_server.url(inner)}\n'
        outer_commit = outer.commit({".gitmodules": gitmodules.encode(), "inner": Submodule(inner_commit), "o": b"o"})
        name = quote(outer.path.name)
        gitmodules = f'[submodule "outer"]\n\tpath = vendor/outer\n\turl = ../{name}\n'
        remote.commit({".gitmodules": gitmodules.encode(), "vendor/outer": Submodule(outer_commit)})

        url = git_server.url(remote)
        await self.block(url, "token").aget_directory(local_path=str(tmp_path / "without"))
        assert not (tmp_path / "without/vendor/outer/o").exists()
        block = self.block(url, "token", include_submodules=True)
        await block.aget_directory(local_path=str(tmp_path / "with"))
        assert (tmp_path / "with/vendor/outer/inner/inner.py").read_bytes() == b"inner"
        assert run_git("status", "--porcelain", folder=tmp_path / "with") == ""
        await block.aget_directory(from_path="vendor", local_path=str(tmp_path / "part"))
        assert read_tree(tmp_path / "part")["vendor/outer/inner/inner.py"] == b"inner"
        assert not (tmp_path / "part/vendor/outer/.git").exists()

    async def test_a_submodule_that_is_written_for_ssh_comes_over_http(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """With a token for the host, `git@host:path` means the same repository."""
        git_server.require(self.authorization("token"))
        inner = git_server.repository("inner")
        commit = inner.commit({"inner.py": b"inner"})
        gitmodules = b'[submodule "inner"]\n\tpath = inner\n\turl = git@127.0.0.1:inner\n'
        remote.commit({".gitmodules": gitmodules, "inner": Submodule(commit)})
        block = self.block(git_server.url(remote), "token", include_submodules=True)
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "inner/inner.py").read_bytes() == b"inner"

    async def test_files_in_lfs_come_with_the_same_credentials(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """Where git-lfs is installed, their content; if they are not wanted, pointers."""
        if shutil.which("git-lfs") is None:
            pytest.skip("git-lfs is not installed: apt-get install git-lfs")
        git_server.require(self.authorization("token"))
        content = b"\0large\xff" * 1000
        pointer = git_server.lfs.add(content)
        remote.commit({".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": pointer})
        url = git_server.url(remote)
        await self.block(url, "token").aget_directory(local_path=str(tmp_path / "with"))
        assert (tmp_path / "with/model.bin").read_bytes() == content
        await self.block(url, "token", lfs=False).aget_directory(local_path=str(tmp_path / "without"))
        assert (tmp_path / "without/model.bin").read_bytes() == pointer
        assert self.authorization("token") not in (tmp_path / "with/.git/config").read_text()

    # Places

    async def test_a_second_pull_brings_what_is_new(
        self, git_server: GitServer, remote: BareRepository, call: Call, tmp_path: Path
    ) -> None:
        """Into the same folder, over what the first has brought, also where a link has become a folder."""
        block = self.block(git_server.url(remote))
        await call(block, "get_directory", local_path=str(tmp_path))
        remote.commit({"flow.py": b"new", "up": None, "up/now/a/folder": b"f"})
        await call(block, "get_directory", local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"new"
        assert (tmp_path / "up/now/a/folder").read_bytes() == b"f"
        assert not (tmp_path / "flows/etl/now").exists()
        assert run_git("rev-parse", "HEAD", folder=tmp_path) == remote.resolve("refs/heads/main")
        assert run_git("status", "--porcelain", folder=tmp_path) == ""

    async def test_two_pulls_into_one_folder_do_not_disturb_each_other(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """They wait for each other, in both faces at once."""
        block = self.block(git_server.url(remote))
        pulls = [block.aget_directory(local_path=str(tmp_path)) for _ in range(2)]
        thread = asyncio.to_thread(Call("sync"), block, "get_directory", local_path=str(tmp_path))
        *_, sync = await asyncio.gather(*pulls, thread)
        await sync
        assert read_tree(tmp_path) == TREE
        assert run_git("status", "--porcelain", folder=tmp_path) == ""

    async def test_nothing_is_written_through_a_link_that_leads_outside(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A link in the destination, where the repository has a folder, is refused by name."""
        (tmp_path / "secret").mkdir()
        (tmp_path / "code").mkdir()
        (tmp_path / "code/lib").symlink_to(tmp_path / "secret")
        with pytest.raises(ValueError, match="lib"):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path / "code"))
        assert not list((tmp_path / "secret").iterdir())
        assert [path.name for path in (tmp_path / "code").iterdir()] == ["lib"]

    @pytest.mark.parametrize("obstacle", ["file", "folder"])
    async def test_what_is_in_the_way_is_named(
        self, obstacle: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """A file where a folder belongs, a filled folder where a file does; nothing is written then."""
        if obstacle == "file":
            (tmp_path / "lib").write_bytes(b"mine")
        else:
            (tmp_path / "flow.py").mkdir()
            (tmp_path / "flow.py/mine").write_bytes(b"mine")
        before = read_tree(tmp_path)
        with pytest.raises(FileExistsError, match="lib" if obstacle == "file" else r"flow\.py"):
            await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert read_tree(tmp_path) == before

    async def test_a_repository_that_is_there_already_is_left_alone(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        """The `.git` of another repository in the destination is somebody's work."""
        run_git("init", "--quiet", str(tmp_path))
        run_git("config", "user.name", "Somebody", folder=tmp_path)
        await self.block(git_server.url(remote)).aget_directory(local_path=str(tmp_path))
        assert run_git("config", "user.name", folder=tmp_path) == "Somebody"
        assert read_tree(tmp_path) == TREE
