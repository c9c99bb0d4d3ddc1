"""`./carillon up`: the whole platform on this machine, with data that stays."""

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from api.commands.migrate import migrate
from api.commands.numbers import port
from api.module_names import chosen_modules
from api.services.children import Supervisor, supervised
from api.services.claim import claimed
from api.services.pair import EmbeddedOptions, Pair, Urls, running_pair, say_on_stderr
from api.services.platform import ROOT, Platform, application
from api.services.processes import ProcessBook
from api.services.readiness import choose_port
from core.errors import SettingsError
from core.secrets import SecretBox
from core.settings import Settings, read_settings

_LOOK_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `up`."""
    parser.add_argument("--api-port", type=port, default=8000, help="taken if it is free")
    parser.add_argument("--console-port", type=port, default=8501, help="taken if it is free")
    parser.add_argument("--ingest-port", type=port, default=8010, help="taken if it is free")


def run(args: argparse.Namespace) -> int:
    """Start everything, say where it is, and stay until Ctrl-C or SIGTERM."""
    settings = read_settings()
    _check_early(settings)
    folder = settings.state_dir.resolve()
    with claimed(folder) as book, _servers(settings, book) as (urls, pair):
        migrate(urls.database_url)
        platform = Platform(
            urls,
            folder,
            choose_port(args.api_port),
            choose_port(args.console_port),
            ingest_port=choose_port(args.ingest_port),
        )
        with supervised(book, cwd=ROOT, say=say_on_stderr) as supervisor:
            supervisor.start(application(platform))
            print(_words(platform), flush=True)
            _stay(supervisor, pair)
    return 0


def _check_early(settings: Settings) -> None:
    """Raise `SettingsError` for what would only be found out when the API has been started."""
    if settings.secret_keys is not None:
        SecretBox(settings.require_secret_keys())
    chosen_modules(settings.api_modules)


@contextlib.contextmanager
def _servers(settings: Settings, book: ProcessBook) -> Iterator[tuple[Urls, Pair | None]]:
    """Yield the servers that the settings name, or an embedded pair when they name none."""
    given = (settings.database_url, settings.redis_url, settings.broker_url)
    if not any(given):
        with running_pair(book, EmbeddedOptions(book.folder)) as pair:
            yield pair.urls, pair
    elif all(given):
        yield (
            Urls(
                settings.require_database_url(),
                settings.require_redis_url(),
                settings.require_broker_url(),
            ),
            None,
        )
    else:
        raise SettingsError(
            "Set all of CARILLON_DATABASE_URL, CARILLON_REDIS_URL and CARILLON_BROKER_URL, "
            "or none of them for embedded servers."
        )


def _stay(supervisor: Supervisor, pair: Pair | None) -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        for name in pair.revive() if pair else []:
            say_on_stderr(f"{name} had ended and was started again.")
        supervisor.tend()


def _words(platform: Platform) -> str:
    return (
        f"API      {platform.api_url}   (try it at {platform.api_url}/docs)\n"
        f"Ingest   {platform.ingest_url}   (events, receipts, registrations and heartbeats)\n"
        f"Console  {platform.console_url}\n"
        f"Data     {_short(platform.folder)}   (logs in {_short(platform.folder / 'logs')})\n"
        "Make a key with ./carillon app create NAME. Ctrl-C stops everything."
    )


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
