"""The limits of one device, by a clock that is handed in."""

from delivery.sandbox.device_limits import DeviceLimits


def test_a_device_has_so_many_a_minute_and_an_hour() -> None:
    devices = DeviceLimits()

    minute = [devices.is_full("a", second, 3, None) for second in (0, 1, 2, 3, 59.9, 60, 60.5, 61)]
    hour = [devices.is_full("b", second, 3, 4) for second in (0, 60, 120, 180, 240, 3600, 3601)]

    assert minute == [False, False, False, True, True, False, True, False]
    assert hour == [False, False, False, False, True, False, True]


def test_devices_have_limits_of_their_own_and_none_unless_set() -> None:
    devices = DeviceLimits()

    assert not devices.is_full("a", 0, 1, None)
    assert devices.is_full("a", 0, 1, None)
    assert not devices.is_full("b", 0, 1, None)
    assert not any(devices.is_full("c", 0, None, None) for _ in range(1_000))


def test_collapsible_messages_beyond_twenty_and_one_in_three_minutes_are_delayed() -> None:
    devices, seen = DeviceLimits(), []

    for second in [*range(20), 20, 181, 182]:
        devices.spend_collapsible("a", second)
        seen.append(devices.delayed)
    devices.spend_collapsible("b", 20)

    assert seen[:20] == [0] * 20
    assert seen[20] == 1
    assert devices.delayed == seen[-1]
    devices.reset()
    assert devices.delayed == 0
