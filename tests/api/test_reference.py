"""The pages of docs/reference say what the code says: routes, errors, settings."""

import ast
import re
from pathlib import Path

from api.main import assemble
from api.reference import FIELD_CODES, error_page, route_page
from api.repository import KeyRow
from core.settings import Settings
from tests.repository_files import ROOT

_REFERENCE = ROOT / "docs" / "reference"
_FOLDERS = ("api", "campaigns", "segments", "delivery", "core")
_SETTING = re.compile(r"^\| `CARILLON_([A-Z_]+)` \|", re.MULTILINE)


def test_the_page_of_routes_is_up_to_date() -> None:
    # Mend it with: ./carillon openapi --routes > docs/reference/routes.md
    assert (_REFERENCE / "routes.md").read_text() == route_page(assemble().openapi())


def test_the_page_of_errors_is_up_to_date() -> None:
    # Mend it with: ./carillon openapi --errors > docs/reference/errors.md
    assert (_REFERENCE / "errors.md").read_text() == error_page()


def test_the_page_of_settings_names_each_setting_and_no_other() -> None:
    documented = set(_SETTING.findall((_REFERENCE / "settings.md").read_text()))
    present = {name.upper() for name in Settings.model_fields}

    assert {"missing": present - documented, "stale": documented - present} == {
        "missing": set(),
        "stale": set(),
    }


def test_every_code_of_a_field_is_documented() -> None:
    used = {
        code
        for folder in _FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for code in _field_codes(path)
    }

    assert "malformed_token" in used
    assert used - FIELD_CODES.keys() == set()


def _field_codes(path: Path) -> set[str]:
    """Return the codes that a file gives to `FieldError` literally."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {
        call.args[1].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "FieldError"
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
        and isinstance(call.args[1].value, str)
    }


def test_no_key_row_carries_a_secret() -> None:
    assert not {name for name in KeyRow.__dataclass_fields__ if "secret" in name}
