"""A forecast against the clock: what a small campaign at a rate really took."""

from datetime import datetime

from tests.chaos.stage import Stage
from tests.deadlines import note

_DEVICES = 300
_RATE = 50.0
_TOLERANCE = 0.15


def test_a_campaign_takes_as_long_as_was_forecast(stage: Stage) -> None:
    stage.add_devices(_DEVICES)
    stage.crew.start()
    how = {"to": {"all": True}, "lane": "campaign", "rate_per_second": _RATE}

    forecast = stage.scene.post("/v1/messages/forecast", how)
    message = stage.wait_end(stage.send(rate_per_second=_RATE)).message

    started, passed = (
        datetime.fromisoformat(message[name]) for name in ("started_at", "first_pass_at")
    )
    took = (passed - started).total_seconds()
    note(f"forecast {forecast['seconds']:.2f} s, took {took:.2f} s")
    assert forecast["sendable"] == message["counts"]["accepted"] == _DEVICES
    assert forecast["limited_by"] == "rate"
    assert abs(forecast["seconds"] - _DEVICES / _RATE) < _TOLERANCE * _DEVICES / _RATE
    assert abs(took - forecast["seconds"]) < _TOLERANCE * forecast["seconds"]
