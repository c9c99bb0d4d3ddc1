"""The modules of the API and their names, which are written down twice on purpose."""

import pytest

from api.main import MODULES
from api.module_names import MODULE_NAMES, chosen_modules
from core.errors import SettingsError
from tests.repository_files import ROOT


def test_the_names_are_those_of_the_modules() -> None:
    assert set(MODULE_NAMES) == set(MODULES)


def test_the_page_of_settings_names_each_module() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    (line,) = (one for one in page.splitlines() if one.startswith("| `CARILLON_API_MODULES`"))

    assert [name for name in MODULE_NAMES if f"`{name}`" not in line] == []


def test_people_come_last_whatever_the_order_of_the_wish() -> None:
    assert chosen_modules("people, apps") == ["apps", "people"]
    assert chosen_modules("all")[-1] == "people"


@pytest.mark.parametrize("text", ["", " , ", "people,nope"])
def test_wrong_names_are_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(SettingsError, match="there are: all, apps"):
        chosen_modules(text)
