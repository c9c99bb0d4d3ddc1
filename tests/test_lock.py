"""The lock files against pyproject.toml: complete, hashed, and naming no place to load from."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository_files import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_PRODUCT = [Requirement(line) for line in _PROJECT["dependencies"]]
_DEVELOPMENT = [Requirement(line) for line in _PROJECT["optional-dependencies"]["dev"]]
_LOCKS = ("requirements.txt", "requirements-dev.txt")
_PIN = re.compile(r"([a-z0-9][a-z0-9-]*)(\[[a-z0-9, -]+\])?==(\S+)(?: ; .+)?")


def _entries(lock: str) -> list[str]:
    """Return one line a package: the pin and its hashes."""
    joined = re.sub(r" \\\n +", " ", (ROOT / lock).read_text())
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def _pins(lock: str) -> dict[str, set[str]]:
    """Return the versions by package: more than one where Pythons or platforms differ."""
    pins: dict[str, set[str]] = {}
    for entry in _entries(lock):
        found = _PIN.fullmatch(entry.partition(" --hash=")[0])
        assert found, entry
        pins.setdefault(found[1], set()).add(found[3])
    return pins


def _extras(lock: str) -> dict[str, set[str]]:
    """Return the extras with which each package is locked."""
    extras: dict[str, set[str]] = {}
    for entry in _entries(lock):
        locked = Requirement(entry.partition(" --hash=")[0])
        extras.setdefault(canonicalize_name(locked.name), set()).update(locked.extras)
    return extras


@pytest.mark.parametrize("lock", _LOCKS)
def test_every_entry_is_one_version_with_its_hashes(lock: str) -> None:
    shape = re.compile(_PIN.pattern + r"(?: --hash=sha256:[0-9a-f]{64})+")

    assert [entry for entry in _entries(lock) if not shape.fullmatch(entry)] == []
    assert len(_entries(lock)) > len(_PRODUCT)


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("requirements.txt", _PRODUCT), ("requirements-dev.txt", _PRODUCT + _DEVELOPMENT)],
)
def test_what_is_wanted_is_locked_in_a_fitting_version(
    lock: str, wanted: list[Requirement]
) -> None:
    pins = _pins(lock)

    wrong = [
        str(requirement)
        for requirement in wanted
        if not pins.get(canonicalize_name(requirement.name))
        or any(
            version not in requirement.specifier
            for version in pins[canonicalize_name(requirement.name)]
        )
    ]
    assert wrong == []


def test_development_uses_the_versions_of_the_product() -> None:
    product, development = _pins("requirements.txt"), _pins("requirements-dev.txt")

    assert {name: development.get(name) for name in product} == product


@pytest.mark.parametrize("lock", _LOCKS)
def test_extras_that_a_package_asks_for_are_locked_with_it(lock: str) -> None:
    # pip holds a requirement with extras to no pin without them: it asks for the newest version,
    # finds no hash for it and installs nothing, from the day on which there is a newer one.
    extras = _extras(lock)
    asked: dict[str, set[str]] = {}
    for name, own in extras.items():
        for requirement in _asked_for(name, own):
            if requirement.extras:
                asked.setdefault(canonicalize_name(requirement.name), set()).update(
                    requirement.extras
                )

    assert asked
    assert {
        name: missing
        for name, wanted in asked.items()
        if (missing := wanted - extras.get(name, set()))
    } == {}


def _asked_for(name: str, extras: set[str]) -> list[Requirement]:
    """Return what the installed package requires here; nothing when it is for other platforms."""
    try:
        words = requires(name) or []
    except PackageNotFoundError:
        return []
    requirements = [Requirement(line) for line in words]
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


def test_every_dependency_is_documented_with_licence_and_day() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    row = re.compile(r"^\| ([\w-]+) \| .{10,} \| [^|]{3,} \| \d{4}-\d\d-\d\d \|$", re.MULTILINE)
    product, development = page.split("## For development only")

    assert row.findall(product) == [requirement.name for requirement in _PRODUCT]
    assert row.findall(development) == [requirement.name for requirement in _DEVELOPMENT]


def test_the_supported_pythons_are_those_the_entry_looks_for() -> None:
    entry = Path(ROOT / "carillon").read_text()

    assert _PROJECT["requires-python"] == ">=3.11,<3.15"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 14)" in entry
