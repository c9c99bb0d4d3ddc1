"""Credentials as the API takes them, from what was typed and uploaded. Pure."""

import base64
import json
from typing import Any


def service_account(name: str, content: bytes) -> dict[str, Any]:
    """Return the body of a Google service account; raise `ValueError` when the file is none."""
    try:
        account = json.loads(content)
    except ValueError as error:
        raise ValueError("The file is no JSON. Take the one that Google made.") from error
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise ValueError("The file is no service account. Take the one that Google made.")
    return {"kind": "service_account", "name": name, "service_account": account}


def signing_key(name: str, content: bytes, facts: dict[str, str]) -> dict[str, Any]:
    """Return the body of an APNs signing key; raise `ValueError` when the file is no text."""
    try:
        p8 = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError("The file is no .p8 key. Take the one that Apple made.") from error
    return {"kind": "token", "name": name, "p8": p8, **facts}


def certificate(name: str, content: bytes, password: str, facts: dict[str, str]) -> dict[str, Any]:
    """Return the body of an APNs certificate; facts that are empty are read from it."""
    given = {field: value for field, value in facts.items() if value}
    p12 = base64.b64encode(content).decode()
    return {"kind": "certificate", "name": name, "p12": p12, "password": password, **given}
