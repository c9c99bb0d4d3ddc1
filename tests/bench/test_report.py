"""What the figures of many runs become."""

from bench.report import samples, summary, table
from bench.senders.job import APNS, FCM, Figures

_SHAPES = {"ours": APNS, "ours_fcm": FCM, "aioapns": APNS, "firebase_admin": FCM, "libcurl": APNS}


def runs(*cpu_us: float, seconds: float = 2.0) -> list[Figures]:
    return [Figures(1_000, 1_000, seconds, one / 1_000) for one in cpu_us]


def test_medians_are_shown_and_a_peer_is_compared_in_its_own_shape() -> None:
    found = summary(
        {
            "ours": runs(10, 30, 11),
            "ours_fcm": runs(8),
            "aioapns": runs(250, 220, 230),
            "firebase_admin": runs(1_600),
        },
        _SHAPES,
    )

    assert found == {
        "ours": {"pushes_per_second": 500.0, "cpu_us_per_push": 11.0},
        "aioapns": {"pushes_per_second": 500.0, "cpu_us_per_push": 230.0},
        "firebase_admin": {"pushes_per_second": 500.0, "cpu_us_per_push": 1_600.0},
        "ratio_cpu_aioapns": 20.91,
        "ratio_cpu_firebase_admin": 200.0,
    }


def test_all_runs_are_kept() -> None:
    assert samples({"ours": runs(10, 12)}) == {"ours": [[500.0, 10.0], [500.0, 12.0]]}


def test_people_get_a_line_for_each_sender() -> None:
    found = {"ours": runs(10), "ours_fcm": runs(8), "firebase_admin": runs(1_600)}
    ours_fcm = {"pushes_per_second": 500.0, "cpu_us_per_push": 8.0}
    result = {
        **summary(found, _SHAPES),
        "server": "nginx",
        "conditions": {"ours_fcm": ours_fcm},
    }

    lines = table(result).splitlines()

    assert [line.split("  ")[0] for line in lines[1:]] == [
        "ours",
        "firebase-admin",
        "ours, FCM shape",
        "server: nginx",
    ]
    assert lines[2].split() == ["firebase-admin", "500", "1600.0", "200.0"]
