"""Finds the server programs that the system's packages installed; never installs anything."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

INSTALL = "apt-get install --yes --no-install-recommends"


class MissingError(Exception):
    """A server is neither running nor installed; the words say how to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server that can be started: `folder` holds its programs."""

    name: str
    folder: Path


def postgres_program() -> Program:
    """Return the oldest installed PostgreSQL that is new enough; raise `MissingError`."""
    folders = [folder.parent for folder in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    folders += [Path(place).parent for place in [shutil.which("initdb")] if place]
    fit = [folder for folder in folders if _major(folder) >= 15]
    if not fit:
        raise MissingError(f"PostgreSQL 15 or newer is not installed: {INSTALL} postgresql")
    return Program("PostgreSQL", min(fit, key=_major))


def redis_program() -> Program:
    """Return the installed Redis; raise `MissingError`."""
    place = shutil.which("redis-server") or shutil.which("valkey-server")
    if place is None:
        raise MissingError(f"Redis is not installed: {INSTALL} redis-server")
    return Program("Redis", Path(place))


def rabbitmq_program() -> Program:
    """Return the installed RabbitMQ, whose own scripts need no root; raise `MissingError`."""
    folders = sorted(_existing("/usr/lib/rabbitmq/lib", "/usr/local/lib", "/opt", "/opt/homebrew"))
    if not folders or shutil.which("epmd") is None:
        raise MissingError(f"RabbitMQ is not installed: {INSTALL} rabbitmq-server")
    return Program("RabbitMQ", folders[-1])


def _existing(*roots: str) -> Iterable[Path]:
    for root in roots:
        for script in Path(root).glob("rabbitmq*/sbin/rabbitmq-server"):
            if os.access(script, os.X_OK):
                yield script.parent


def _major(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 15
