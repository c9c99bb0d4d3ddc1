"""Importing devices."""

from pathlib import Path

from tests.api.imports.files import Shop

HEADER = "installation_id,person,provider,kind,token,platform,environment\n"


def android(number: int, person: str = "u1", token: int | None = None) -> str:
    text = f"d{token or number:020}x:APA91b{'y' * 40}"
    return f"installation-{number},{person},fcm,token,{text},android,\n"


def iphone(number: int, person: str = "u1") -> str:
    return f"installation-{number},{person},apns,alert,{number:064x},ios,development\n"


def run(shop: Shop, folder: Path, *lines: str) -> tuple[int, int, dict[int, str]]:
    people = folder / "people.csv"
    people.write_text("external_id\nu1\nu2\n")
    shop.run(people)
    path = folder / "devices.csv"
    path.write_text(HEADER + "".join(lines))
    job = shop.run(path, "devices")
    bad = {line: fault["code"] for line, fault in shop.bad_lines(job).items()}
    return job.created, job.updated, bad


def test_devices_get_their_targets_and_people(shop: Shop, tmp_path: Path) -> None:
    outcome = run(shop, tmp_path, android(1), iphone(2, "u2"), android(3, ""))

    rows = shop.rows(
        """SELECT d.installation_id, p.external_id, t.provider, t.environment FROM device d
           LEFT JOIN person p ON p.app_id = d.app_id AND p.id = d.person_id
           JOIN target t ON t.app_id = d.app_id AND t.device_id = d.id
           WHERE d.app_id = :app_id ORDER BY 1"""
    )
    assert outcome == (3, 0, {})
    assert [tuple(row) for row in rows] == [
        ("installation-1", "u1", "fcm", None),
        ("installation-2", "u2", "apns", "development"),
        ("installation-3", None, "fcm", None),
    ]


def test_bad_devices_keep_no_other_from_being_imported(shop: Shop, tmp_path: Path) -> None:
    lines = [
        android(1),
        android(2, "nobody"),
        "installation-3,u1,fcm,token,no token!,android,\n",
        "installation-4,u1,apns,alert,xyz,ios,development\n",
        "installation-5,u1,mqtt,,x,android,\n",
        iphone(6),
    ]

    outcome = run(shop, tmp_path, *lines)

    assert outcome == (
        2,
        0,
        {3: "unknown_person", 4: "malformed_token", 5: "malformed_token", 6: "invalid_value"},
    )


def test_a_token_named_twice_belongs_to_the_last_line(shop: Shop, tmp_path: Path) -> None:
    many = [android(number, token=7) for number in range(1, 251)]

    outcome = run(shop, tmp_path, *many)

    rows = shop.rows(
        """SELECT d.installation_id FROM target t
           JOIN device d ON d.app_id = t.app_id AND d.id = t.device_id
           WHERE t.app_id = :app_id"""
    )
    assert outcome == (250, 0, {})
    assert [row.installation_id for row in rows] == ["installation-250"]


def test_devices_imported_again_are_updated(shop: Shop, tmp_path: Path) -> None:
    lines = [android(number) for number in range(1, 151)]
    run(shop, tmp_path, *lines)

    assert run(shop, tmp_path, *lines) == (0, 150, {})
