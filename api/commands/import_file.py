"""`./carillon import people FILE`: people, devices, events of a file, beside a running `up`."""

import argparse
from pathlib import Path
from typing import Literal, TextIO

import orjson
from sqlalchemy import Engine

from api.imports import repository
from api.imports.app_choice import choose_app
from api.imports.command import Order, begin, go_on
from api.imports.errors import UnwritableFileError
from api.imports.job import ImportJob
from api.imports.mapping import RULES, map_columns, split_map
from api.imports.opening import check_delimiter
from api.imports.record import ImportOptions
from api.imports.reporting import Voice, error_lines, to_json, to_words
from api.services.local import complete
from api.services.pair import say_on_stderr
from core.database import open_engine
from core.settings import Settings, read_settings

SOME_BAD = 3
_SHOWN_ERRORS = 5
_PAGE = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `import`."""
    parser.add_argument("kind", choices=list(RULES), help="what the file holds")
    parser.add_argument("file", type=Path, help="CSV with a header or JSONL, also as .gz")
    parser.add_argument("--app", metavar="APP_ID", help="needed when there are several apps")
    parser.add_argument(
        *("--map", "-m"),
        action="append",
        default=[],
        metavar="COLUMN=TARGET",
        help="such as 'Customer ID=external_id' or points=attributes.points:int",
    )
    parser.add_argument(
        "--unmapped",
        choices=["attributes", "properties", "ignore", "refuse"],
        help="what becomes of other columns (people: attributes, events: properties, devices: "
        "refuse)",
    )
    parser.add_argument(
        "--empty", choices=["keep", "clear"], default="keep", help="what an empty cell means (keep)"
    )
    parser.add_argument("--format", choices=["csv", "jsonl"], help="found out when absent")
    parser.add_argument("--delimiter", help="one character, or tab; found out when absent")
    parser.add_argument("--restart", action="store_true", help="do not go on with a former run")
    parser.add_argument("--errors", type=Path, metavar="FILE", help="write all bad lines there")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def run(args: argparse.Namespace) -> int:
    """Import the file; 0 when every line was taken, 3 when some were bad."""
    options = _options(args)
    if args.errors:
        # Better now than when everything is imported.
        _open_errors(args.errors, "a").close()
    settings = complete(read_settings())
    database = open_engine(settings.require_database_url(), pool_size=2)
    try:
        with database.begin() as connection:
            app_id = choose_app(connection, args.app)
        order = Order(app_id, args.file, options, args.restart)
        return _import(args, settings, database, order)
    finally:
        database.dispose()


def _options(args: argparse.Namespace) -> ImportOptions:
    options = ImportOptions(
        kind=args.kind,
        format=args.format,
        delimiter=check_delimiter(args.delimiter),
        maps=tuple(map(split_map, args.map)),
        unmapped=args.unmapped,
        empty=args.empty,
    )
    map_columns(options)
    return options


def _import(args: argparse.Namespace, settings: Settings, database: Engine, order: Order) -> int:
    job = begin(database, order, settings.lease_seconds)
    voice = Voice(job, say_on_stderr)
    ended = go_on(database, settings, job, order.path, voice.hear)
    if args.errors:
        _write_errors(database, ended, args.errors)
    with database.begin() as connection:
        errors = repository.list_errors(connection, ended, 0, _SHOWN_ERRORS)
    if args.json:
        print(orjson.dumps(to_json(ended, voice.seconds)).decode())
    else:
        print(to_words(ended, errors))
    return SOME_BAD if ended.failed else 0


def _open_errors(path: Path, mode: Literal["a", "w"]) -> TextIO:
    try:
        return path.open(mode, encoding="utf-8")
    except OSError as error:
        raise UnwritableFileError(f"{path} can not be written: {error.strerror}.") from error


def _write_errors(database: Engine, job: ImportJob, path: Path) -> None:
    after = 0
    with _open_errors(path, "w") as file, database.begin() as connection:
        while page := repository.list_errors(connection, job, after, _PAGE):
            for error in page:
                file.writelines(f"{line}\n" for line in error_lines(error))
            after = page[-1].id
