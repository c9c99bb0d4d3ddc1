"""The documentation against the repository: what it names exists, and what exists it names."""

import re
from pathlib import Path

import pytest

from api.cli import COMMANDS
from tests.repository_files import ROOT, repository_files
from tools import check_addresses

_PAGES = sorted(repository_files("*.md"))
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_COMMAND = re.compile(r"\./carillon ([a-z][a-z-]*)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def _broken(page: Path, root: Path = ROOT) -> list[str]:
    return [
        link
        for link in _LINK.findall(_FENCE.sub("", page.read_text()))
        if not re.match(r"[a-z]+:", link) and not _leads_somewhere(page, root, link)
    ]


def _leads_somewhere(page: Path, root: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    inside = target.is_relative_to(root) and target.exists()
    return inside and (not anchor or anchor in _anchors(target))


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert _broken(page) == []


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_every_command_in_a_page_exists(page: Path) -> None:
    assert set(_COMMAND.findall(page.read_text())) <= COMMANDS.keys()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[good](#one) [bad](#two) [gone](none.md) [far](https://example.com)\n")

    assert _broken(page, tmp_path) == ["#two", "none.md"]


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    assert [one for one in _TEST.findall(page.read_text()) if not _is_test(*one)] == []


def test_the_promises_about_crashes_name_their_tests() -> None:
    page = ROOT / "docs" / "why" / "nothing-lost.md"

    rows = [row for row in page.read_text().splitlines() if row.startswith("| **")]
    assert len(rows) >= 15
    assert [row for row in rows if not _TEST.search(row)] == []


@pytest.mark.parametrize("name", ["test_every_test_that_a_page_names_exist", "Path"])
def test_a_test_that_does_not_exist_is_found(name: str) -> None:
    assert not _is_test("tests/test_docs.py", name)
    assert not _is_test("tests/test_nothing.py", name)


def _is_test(path: str, name: str) -> bool:
    file = ROOT / path
    return file.is_file() and f"\ndef {name}(" in file.read_text()


def test_the_index_of_the_documentation_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text())}
    pages = {page for page in _PAGES if page.is_relative_to(index.parent)} - {index}

    assert sorted(map(_name, pages - linked)) == []


def test_decisions_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        heading = (ROOT / "docs" / "decisions" / name).read_text().splitlines()[0]
        assert heading.startswith(f"# {int(name[:4])}. ")


def test_the_kernel_is_the_one_that_was_decided() -> None:
    decision = (ROOT / "docs" / "decisions" / "0001-skeleton-and-kernel.md").read_text()
    decided = set(re.findall(r"^\| `(\w+\.py)`", decision, re.MULTILINE))

    assert decided == {path.name for path in (ROOT / "core").glob("*.py")} - {"__init__.py"}


def test_no_file_is_bound_to_one_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_addresses.main(ROOT) == 0, capsys.readouterr().out


def test_words_that_bind_to_one_machine_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("--extra-index" + "-url there\nfine\nsee /ho" + "me/somebody/file\n")

    assert len(check_addresses.breaches(tmp_path, page)) == 2
