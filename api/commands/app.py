"""`./carillon app create NAME`: the first key of an installation, and of each app."""

import argparse
import sys

import orjson
from sqlalchemy import Connection

from api import repository
from api.key_service import KeyPlan, create_key
from api.principal import OPERATOR
from api.services.local import complete
from core.database import open_engine
from core.secrets import SecretBox
from core.settings import Settings, read_settings
from delivery.apps.service import create_app_row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `app`."""
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make an app and print its admin key once")
    create.add_argument("name", help="what the app is called")
    create.add_argument(
        "--operator", action="store_true", help="the key also reaches all other apps"
    )
    create.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Make the app and its key."""
    if not 1 <= len(args.name) <= 200 or not args.name.isprintable():
        print("The name must have 1 to 200 printable characters.", file=sys.stderr)
        return 2
    made = create_app(complete(read_settings()), args.name, operator=args.operator)
    if args.json:
        print(orjson.dumps(made).decode())
    else:
        print(_words(made))
    return 0


def create_app(settings: Settings, name: str, *, operator: bool = False) -> dict[str, str | bool]:
    """Make an app with an admin key; return `app_id`, `key`, `identity_secret`, `operator`.

    On a fresh installation nobody could make further apps, so the first key is an operator's.
    """
    engine = open_engine(settings.require_database_url(), pool_size=1)
    try:
        with engine.begin() as connection:
            return _create(connection, SecretBox(settings.require_secret_keys()), name, operator)
    finally:
        engine.dispose()


def _create(
    connection: Connection,
    box: SecretBox,
    name: str,
    operator: bool,  # noqa: FBT001
) -> dict[str, str | bool]:
    is_operator = operator or not repository.has_operator(connection)
    app = create_app_row(connection, box, name)
    scopes = ["admin", OPERATOR] if is_operator else ["admin"]
    key = create_key(connection, KeyPlan(app.row.id, "admin", "Made by ./carillon", scopes))
    repository.add_audit(
        connection,
        {
            "app_id": app.row.id,
            "actor": "command",
            "action": "app.created",
            "subject": app.row.public_id,
            "detail": {"name": name, "key": key.row.public_id, "scopes": scopes},
        },
    )
    return {
        "app_id": app.row.public_id,
        "name": name,
        "key": key.secret,
        "identity_secret": app.identity_secret,
        "operator": is_operator,
    }


def _words(made: dict[str, str | bool]) -> str:
    reach = "this app and all others" if made["operator"] else "this app"
    return (
        f"App              {made['app_id']}  {made['name']}\n"
        f"Admin key        {made['key']}\n"
        f"Identity secret  {made['identity_secret']}\n\n"
        f"The key reaches {reach}. Both secrets are shown this once: keep them.\n"
        "Try it at /docs: press Authorize and paste the key."
    )
