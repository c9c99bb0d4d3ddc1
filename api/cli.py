"""The command line: finds the module of a command, runs it, and says errors in one line."""

import argparse
import difflib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, cast

from api.services.signals import stopping_cleanly
from core.errors import CarillonError

COMMANDS: Mapping[str, str] = {
    "demo": "send a real campaign through sandbox gateways, on servers of its own",
    "up": "run everything on this machine and keep the data",
    "test": "run the tests on real servers of their own",
    "chaos": "break everything in the middle of a campaign, and count who is lost",
    "check": "lint, types, import contracts and style limits",
    "bench": "measure the sender against its peers, or its exactness",
    "app": "create an app and print its admin key",
    "import": "import people, devices or events from CSV or JSONL",
    "migrate": "bring the database to the newest schema",
    "openapi": "print the description of the API",
}


class CommandModule(Protocol):
    """What a module in api/commands offers."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


# No module can be named after a keyword.
_MODULES: Mapping[str, str] = {"import": "import_file"}
# By name, for SQLAlchemy is only imported by the commands that need it.
_DATABASE_FAULTS: Mapping[str, str] = {
    "ArgumentError": "CARILLON_DATABASE_URL is no address of a database.",
    "NoSuchModuleError": "CARILLON_DATABASE_URL names no PostgreSQL database.",
    "OperationalError": "PostgreSQL does not answer; check CARILLON_DATABASE_URL.",
    "TimeoutError": "PostgreSQL does not answer in time; check CARILLON_DATABASE_URL.",
}
# What these commands do not know themselves they hand on, as `args.passed_on`.
_PASSING_ON = frozenset({"test"})
# These read nothing but a request for help themselves.
_HANDING_ON = frozenset({"chaos"})
_HELP = frozenset({"-h", "--help"})


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code; a failure is one line on stderr."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_overview())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        return _fail(f"there is no command {name!r}.{_closest(name)} See ./carillon --help.", 2)
    try:
        with stopping_cleanly():
            return _run(name, rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _quiet_pipe()
    except Exception as error:  # noqa: BLE001 - the last door: nobody should meet a traceback.
        return _explain(error)


def _run(name: str, arguments: list[str]) -> int:
    # Loaded only when chosen, so that every command starts as quickly as its own imports allow.
    module = importlib.import_module(f"api.commands.{_MODULES.get(name, name.replace('-', '_'))}")
    command = cast("CommandModule", module)
    parser = argparse.ArgumentParser(prog=f"./carillon {name}", description=COMMANDS[name])
    command.add_arguments(parser)
    if name in _HANDING_ON and not _HELP.intersection(arguments[:1]):
        return command.run(argparse.Namespace(passed_on=arguments))
    args, unknown = parser.parse_known_args(arguments)
    args.passed_on = unknown
    if args.passed_on and name not in _PASSING_ON:
        parser.error(f"unknown arguments: {' '.join(args.passed_on)}")
    return command.run(args)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        ["usage: ./carillon COMMAND …", "", *lines, "", "./carillon COMMAND --help tells more.", ""]
    )


def _closest(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
    return f" Did you mean {close[0]!r}?" if close else ""


def _explain(error: Exception) -> int:
    if os.environ.get("CARILLON_DEBUG") == "1":
        traceback.print_exception(error)
    if isinstance(error, CarillonError):
        return _fail(error.detail, 1)
    if type(error).__module__ == "sqlalchemy.exc" and type(error).__name__ in _DATABASE_FAULTS:
        return _fail(f"{_DATABASE_FAULTS[type(error).__name__]} {_first_line(error)}", 1)
    return _fail(f"unexpected {type(error).__name__}: {_first_line(error)} {_keep(error)}", 1)


def _fail(line: str, code: int) -> int:
    sys.stderr.write(f"carillon: {line}\n")
    return code


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no message")[:300]


def _keep(error: Exception) -> str:
    """Write the traceback to a file and return the sentence that names it."""
    folder = Path(os.environ.get("CARILLON_STATE_DIR", ".carillon")) / "logs"
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.gettempdir())
    descriptor, path = tempfile.mkstemp(prefix="carillon-error-", suffix=".log", dir=folder)
    with os.fdopen(descriptor, "w") as log:
        traceback.print_exception(error, file=log)
    return f"(log: {path}; CARILLON_DEBUG=1 shows it)"


def _quiet_pipe() -> int:
    # The reader of our output went away (| head); Python's own flush at exit would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
