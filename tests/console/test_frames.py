"""The console's tables."""

import pandas as pd
import pytest

from console.answers import Bucket, Device, Key, Target
from console.fleet_answers import Credential, CredentialEvent, Hygiene, TokenReason
from console.frames import (
    count_table,
    credential_table,
    delivery_table,
    event_table,
    history_table,
    hygiene_table,
    key_table,
    message_table,
    over_time_table,
    target_table,
)
from console.words import REASONS, STATES
from tests.console.values import delivery, message


def test_a_message_is_one_row_that_adds_up() -> None:
    row = message_table([message()]).iloc[0]

    assert row["Accepted"] + row["Others"] + row["Open"] == row["Targeted"] == 10
    assert row["Created"] == pd.Timestamp("2026-01-02T03:04:05", tz="UTC")


def test_unknown_numbers_stay_empty_and_do_not_turn_the_others_into_fractions() -> None:
    table = message_table([message(targeted=None), message(targeted=3)])

    assert table["Targeted"].isna().tolist() == [True, False]
    assert str(table["Targeted"].iloc[1]) == "3"


@pytest.mark.parametrize(
    "table", [message_table([]), delivery_table([]), history_table([]), over_time_table([], 10)]
)
def test_nothing_gives_an_empty_table_with_its_columns(table: pd.DataFrame) -> None:
    assert table.empty
    assert len(table.columns) > 4


def test_counts_come_in_order_with_their_reasons_and_the_open_ones_last() -> None:
    table = count_table(
        message(
            counts={"accepted": 6, "suppressed": 3, "later": 1},
            reasons={"suppressed": {"no_device": 1, "moved": 2}},
        )
    )

    assert table.to_numpy().tolist() == [
        ["accepted", STATES["accepted"], 6],
        ["suppressed", REASONS["moved"], 2],
        ["suppressed", REASONS["no_device"], 1],
        ["later", "later", 1],
        ["open", "It has not ended yet.", 2],
    ]


def test_a_delivery_says_why_in_words() -> None:
    table = delivery_table(
        [
            delivery(person="ada"),
            delivery(state="suppressed", reason="no_device", device=None, at=None),
        ]
    )

    assert table["Person"].tolist() == ["ada", "(nobody)"]
    assert table["Why"].tolist() == [STATES["accepted"], REASONS["no_device"]]
    assert table["At"].isna().tolist() == [False, True]


def test_a_history_names_the_messages() -> None:
    table = history_table([delivery(message="msg_one", title=None)])

    assert table[["Title", "Message"]].to_numpy().tolist() == [["(no title)", "msg_one"]]


def test_every_target_of_a_device_is_a_row() -> None:
    targets = [
        Target("fcm", "token", None, "retired", "unregistered", "2026-01-02T03:04:05Z"),
        Target("apns", "live_activity", "production", "active", None, "2026-01-02T03:04:05Z"),
    ]
    device = Device("dev_1", "ada", "ios", None, None, "not_determined", None, targets)

    table = target_table([device])

    assert table["Target"].tolist() == ["token", "live activity"]
    assert table["Why"].tolist() == [REASONS["unregistered"], ""]
    assert table["Notifications"].tolist() == ["not determined"] * 2


def test_a_credential_says_what_it_is_for() -> None:
    table = credential_table(
        [
            Credential(
                "c", "fcm", "service_account", "G", None, None, "shop", "active", None, None
            ),
            Credential(
                "d", "apns", "token", "A", "production", "com.x", None, "paused", "r", "Why."
            ),
        ]
    )

    assert table["For"].tolist() == ["shop", "com.x production"]
    assert table["Why"].tolist() == ["", "Why."]


def test_a_key_shows_how_it_begins_and_what_it_may() -> None:
    table = key_table(
        [
            Key("k", "server", "Shop", ["messages:send", "stats:read"], "ck_live_2b", None),
            Key("l", "client", "Phone", [], "cc_2b", "2026-01-02T03:04:05Z"),
        ]
    )

    assert table["May"].tolist() == ["messages:send, stats:read", "register devices"]


def test_states_are_piled_up_in_each_bucket() -> None:
    buckets = [
        Bucket("2026-01-02T03:04:00Z", {"accepted": 6, "gone": 2, "rejected": 0}),
        Bucket("2026-01-02T03:04:10Z", {"accepted": 1}),
    ]

    table = over_time_table(buckets, 10)

    assert table[["Outcome", "Below", "Above"]].to_numpy().tolist() == [
        ["Accepted", 0, 6], ["Gone", 6, 8], ["Accepted", 0, 1],
    ]  # fmt: skip
    assert (table["Ends"] - table["Begins"]).dt.total_seconds().tolist() == [10.0] * 3


def test_events_say_who_did_what_and_why() -> None:
    table = event_table(
        [
            CredentialEvent("resumed", None, "key_1", "2026-03-01T12:01:00Z"),
            CredentialEvent("paused", "Apple refuses it.", None, "2026-03-01T12:00:00Z"),
        ]
    )

    assert table[["What", "By", "Why"]].to_numpy().tolist() == [
        ["resumed", "key_1", ""],
        ["paused", "itself", "Apple refuses it."],
    ]


def test_suspect_and_dead_tokens_stand_with_their_reasons() -> None:
    suspect = TokenReason("bad_device_token", "Apple does not know it.", "apns", "production", 4)
    dead = TokenReason("unregistered", "It was removed.", "fcm", None, 26)

    table = hygiene_table(Hygiene(1_000, 970, [suspect], [dead], 120, 15))

    assert table.to_numpy().tolist() == [
        ["suspect", 4, "APNS production", "Apple does not know it."],
        ["dead", 26, "FCM", "It was removed."],
    ]
