"""`./carillon demo`: the whole platform from nothing, a real campaign, and what became of it."""

import argparse
import time
from pathlib import Path

import orjson

from api.commands.app import create_app
from api.commands.migrate import migrate
from api.commands.numbers import count, port
from api.demo.client import DemoClient
from api.demo.report import addresses, table
from api.demo.story import Result, Stage, play, prepare, sandbox_settings
from api.imports.opening import check_path
from api.imports.record import ImportOptions
from api.services.children import Supervisor, supervised
from api.services.claim import claimed
from api.services.pair import EmbeddedOptions, Pair, running_pair, say_on_stderr
from api.services.platform import ROOT, Platform, application, environment, sandbox_child
from api.services.readiness import choose_port
from core.settings import Settings, read_settings
from delivery.sandbox.client import Address, read_address

_LOOK_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `demo`."""
    parser.add_argument("--once", action="store_true", help="stop after the campaign")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument(
        "--people",
        type=_number_or_file,
        default=2_000,
        help="how many people (2000), or a CSV or JSONL file of people to import",
    )
    parser.add_argument("--devices", type=count, help="how many devices (three for two people)")
    parser.add_argument("--api-port", type=port, default=8000, help="taken if it is free")
    parser.add_argument("--console-port", type=port, default=8501, help="taken if it is free")
    parser.add_argument("--ingest-port", type=port, default=8010, help="taken if it is free")


def run(args: argparse.Namespace) -> int:
    """Start everything in `.carillon/demo`, play the story, and stay unless told otherwise."""
    if isinstance(args.people, Path):
        # Minutes would be lost if this were found out after the start.
        check_path(args.people, ImportOptions("people"))
    folder = (read_settings().state_dir / "demo").resolve()
    options = EmbeddedOptions(folder, fresh=True)
    with claimed(folder, fresh=True) as book, running_pair(book, options) as pair:
        migrate(pair.database_url)
        with supervised(book, cwd=ROOT, say=say_on_stderr) as supervisor:
            address = _start_sandbox(supervisor, folder / "sandbox")
            platform = Platform(
                pair.urls,
                folder,
                choose_port(args.api_port),
                choose_port(args.console_port),
                sandbox_settings(address),
                choose_port(args.ingest_port),
            )
            supervisor.start(application(platform))
            return _perform(args, platform, address, (supervisor, pair))


def _number_or_file(text: str) -> int | Path:
    return count(text) if text.isdecimal() else Path(text)


def _start_sandbox(supervisor: Supervisor, folder: Path) -> Address:
    folder.mkdir(parents=True, exist_ok=True)
    supervisor.start([sandbox_child(folder, "--mtls-port", "0")])
    address = read_address(folder)
    if address is None:
        raise AssertionError("the sandbox is ready but has no address")
    return address


def _perform(
    args: argparse.Namespace,
    platform: Platform,
    address: Address,
    running: tuple[Supervisor, Pair],
) -> int:
    made = create_app(_settings(platform), "Demo", operator=True)
    client = DemoClient(platform.api_url, str(made["key"]), str(made["app_id"]))
    stage = Stage(client, address, args.people, args.devices, say_on_stderr)
    try:
        result = play(stage, prepare(stage))
    finally:
        client.close()
    _show(result, as_json=args.json)
    if not args.once:
        print(addresses(platform, str(made["key"])), flush=True)
        _stay(*running)
    return 0 if result.is_exact() else 1


def _settings(platform: Platform) -> Settings:
    start = "CARILLON_"
    found = environment(platform).items()
    return Settings.model_validate(
        {name.removeprefix(start).lower(): value for name, value in found if name.startswith(start)}
    )


def _show(result: Result, *, as_json: bool) -> None:
    print(orjson.dumps(result.to_json()).decode() if as_json else table(result), flush=True)


def _stay(supervisor: Supervisor, pair: Pair) -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        for name in pair.revive():
            say_on_stderr(f"{name} had ended and was started again.")
        supervisor.tend()
