"""Segments over HTTP: made, changed, deleted; what their rules may name."""

from typing import Any

import pytest

from tests.api.doors import AppDoors, Doors, pointers, problem

GOLD = {"type": "attribute", "name": "plan", "operator": "equals", "value": "gold"}


def make(app: AppDoors, rule: Any = None, **values: Any) -> Any:
    """Make a segment and return it."""
    body = {"name": "Gold", "rule": rule or GOLD, **values}
    answer = app.client.post("/v1/segments", headers=app.server, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _put(app: AppDoors, segment: str, rule: Any, **headers: str) -> Any:
    return app.client.put(
        f"/v1/segments/{segment}",
        headers={**app.server, **headers},
        json={"name": "Gold", "rule": rule},
    )


def _named(segment: str) -> dict[str, str]:
    return {"type": "segment", "segment": segment}


@pytest.mark.parametrize("name", ["", " ", "   ", "a\nb"])
def test_a_name_is_more_than_spaces(app: AppDoors, name: str) -> None:
    answer = app.client.post("/v1/segments", headers=app.server, json={"name": name, "rule": GOLD})

    assert set(pointers(problem(answer, 422, "invalid_payload"))) == {"/name"}


def test_a_segment_is_kept_as_it_was_written(app: AppDoors) -> None:
    made = make(app, description="Who pays most")
    read = app.client.get(f"/v1/segments/{made['id']}", headers=app.server)

    assert read.json() == made
    assert made["id"].startswith("seg_")
    assert (made["rule"], made["version"], made["description"]) == (GOLD, 1, "Who pays most")


def test_rules_that_say_the_same_have_one_hash(app: AppDoors) -> None:
    hashes = {
        make(app, rule)["hash"]
        for rule in (GOLD, {"type": "all", "of": [GOLD, GOLD]}, {"type": "any", "of": [GOLD]})
    }

    assert len(hashes) == 1


def test_what_nobody_can_meet_is_accepted_with_a_warning(app: AppDoors) -> None:
    rule = {
        "type": "all",
        "of": [
            GOLD,
            {"type": "event", "name": "purchase"},
            {"type": "list", "list": "lst_nothing"},
            {"type": "message", "milestone": "converted"},
        ],
    }
    before = make(app, rule)
    app.add_person("ada", attributes={"plan": "gold"})
    after = app.client.get(f"/v1/segments/{before['id']}", headers=app.server).json()
    listed = app.client.get("/v1/segments", headers=app.server).json()["data"]

    assert {one["pointer"]: one["code"] for one in before["warnings"]} == {
        "/rule/of/0": "unknown_attribute",
        "/rule/of/1": "unknown_event",
        "/rule/of/2": "unknown_list",
        "/rule/of/3": "not_kept",
    }
    assert [one["code"] for one in after["warnings"]] == [
        "unknown_event", "not_kept", "unknown_list",
    ]  # fmt: skip
    assert listed == [after]


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({"type": "nothing"}, "/rule/type", "unknown_node"),
        ({"type": "not", "of": {**GOLD, "operator": "<"}}, "/rule/of/value", "wrong_type"),
        ({**GOLD, "operator": "matches", "value": "(a+"}, "/rule/value", "invalid_value"),
        ({"type": "all", "of": [_named("seg_nothing")]}, "/rule/of/0/segment", "unknown_segment"),
        ({"type": "all", "of": [GOLD] * 200}, "/rule/of/199", "too_many_nodes"),
        ([GOLD], "/rule", "wrong_type"),
    ],
)
def test_a_mistake_in_a_rule_is_pointed_at(
    app: AppDoors, rule: Any, pointer: str, code: str
) -> None:
    body = {"name": "Wrong", "rule": rule}
    made = app.client.post("/v1/segments", headers=app.server, json=body)
    counted = app.client.post("/v1/segments/count", headers=app.server, json={"rule": rule})

    for answer in (made, counted):
        assert pointers(problem(answer, 422, "invalid_payload")) == {pointer: code}
    assert app.client.get("/v1/segments", headers=app.server).json()["data"] == []


def test_a_segment_that_leads_back_to_itself_is_refused(app: AppDoors) -> None:
    first = make(app)["id"]
    second = make(app, {"type": "not", "of": _named(first)})["id"]
    itself = problem(_put(app, first, _named(first)), 422, "invalid_payload")
    around = problem(
        _put(app, first, {"type": "any", "of": [_named(second)]}), 422, "invalid_payload"
    )

    assert pointers(itself) == {"/rule/segment": "segment_cycle"}
    assert pointers(around) == {"/rule/of/0/segment": "segment_cycle"}
    assert second in around["errors"][0]["message"]


def test_every_change_is_a_version_that_stays(app: AppDoors) -> None:
    made = make(app)
    silver = {**GOLD, "value": "silver"}
    changed = _put(app, made["id"], silver).json()
    same = _put(app, made["id"], silver).json()
    path = f"/v1/segments/{made['id']}/versions"
    newest = app.client.get(f"{path}?limit=1", headers=app.server).json()
    oldest = app.client.get(f"{path}?cursor={newest['next_cursor']}", headers=app.server).json()

    assert (changed["version"], same["version"]) == (2, 2)
    assert [(one["version"], one["rule"]) for one in newest["data"]] == [(2, silver)]
    assert [(one["version"], one["rule"]) for one in oldest["data"]] == [(1, GOLD)]
    assert oldest["next_cursor"] is None
    assert oldest["data"][0]["created_by"].startswith("key_")


def test_a_change_of_what_was_not_read_is_refused(app: AppDoors) -> None:
    made = make(app)
    path = f"/v1/segments/{made['id']}"
    tag = app.client.get(path, headers=app.server).headers["etag"]
    first = _put(app, made["id"], {**GOLD, "value": "silver"}, **{"If-Match": tag})
    second = _put(app, made["id"], {**GOLD, "value": "bronze"}, **{"If-Match": tag})
    deleted = app.client.delete(path, headers={**app.server, "If-Match": tag})

    assert first.status_code == 200
    problem(second, 412, "precondition_failed")
    problem(deleted, 412, "precondition_failed")


def test_what_others_name_can_not_be_deleted(app: AppDoors) -> None:
    first = make(app)["id"]
    second = make(app, _named(first))["id"]
    refused = app.client.delete(f"/v1/segments/{first}", headers=app.server)
    for name in (second, first):
        assert app.client.delete(f"/v1/segments/{name}", headers=app.server).status_code == 204

    assert second in problem(refused, 409, "segment_in_use")["detail"]
    problem(app.client.get(f"/v1/segments/{first}", headers=app.server), 404, "segment_not_found")


def test_segments_of_other_apps_do_not_exist(app: AppDoors, doors: Doors) -> None:
    other = make(doors.new_app())["id"]
    named = app.client.post("/v1/segments/count", headers=app.server, json={"rule": _named(other)})

    assert pointers(problem(named, 422, "invalid_payload")) == {"/rule/segment": "unknown_segment"}
    for path in ("", "/count", "/sample", "/versions", "/explain/ada", f"/overlap/{other}"):
        answer = app.client.get(f"/v1/segments/{other}{path}", headers=app.server)
        problem(answer, 404, "segment_not_found")
    problem(_put(app, other, GOLD), 404, "segment_not_found")
    problem(
        app.client.delete(f"/v1/segments/{other}", headers=app.server), 404, "segment_not_found"
    )


def test_who_may_not_write_segments_reads_them_at_most(app: AppDoors, doors: Doors) -> None:
    made = make(app)["id"]
    reader = doors.new_key(app.inner_id, "server", ["people:read"])
    writer = doors.new_key(app.inner_id, "server", ["segments:write"])
    sender = doors.new_key(app.inner_id, "server", ["messages:send"])
    body = {"name": "Mine", "rule": GOLD}

    assert doors.client.get(f"/v1/segments/{made}", headers=reader).status_code == 200
    assert doors.client.get(f"/v1/segments/{made}/count", headers=writer).status_code == 200
    assert doors.client.post("/v1/segments", headers=writer, json=body).status_code == 201
    for key in (reader, sender):
        problem(doors.client.post("/v1/segments", headers=key, json=body), 403, "forbidden_scope")
    problem(doors.client.get("/v1/segments", headers=sender), 403, "forbidden_scope")
    sample = doors.client.get(f"/v1/segments/{made}/sample", headers=writer)
    problem(sample, 403, "forbidden_scope")


def test_a_repeated_request_makes_one_segment(app: AppDoors) -> None:
    headers = {**app.server, "Idempotency-Key": "once"}
    body = {"name": "Gold", "rule": GOLD}
    answers = [app.client.post("/v1/segments", headers=headers, json=body) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(app.client.get("/v1/segments", headers=app.server).json()["data"]) == 1


def test_a_rule_may_be_as_deep_as_the_language_says(app: AppDoors) -> None:
    step = {
        "event": "purchase",
        "where": [{"name": "currency", "operator": "in", "value": ["EUR", "CHF"]}],
    }
    rule: dict[str, Any] = {"type": "sequence", "first": step, "then": step, "within": "1 day"}
    for _ in range(9):
        rule = {"type": "all", "of": [rule]}
    made = make(app, rule)
    count = app.client.post("/v1/segments/count", headers=app.server, json={"rule": rule})
    deeper: Any = GOLD
    for _ in range(10):
        deeper = {"type": "all", "of": [deeper]}
    body = {"name": "Deeper", "rule": deeper}
    refused = app.client.post("/v1/segments", headers=app.server, json=body)

    assert (made["rule"], count.json()["people"]) == (rule, 0)
    found = pointers(problem(refused, 422, "invalid_payload"))
    assert found == {"/rule" + "/of/0" * 10: "rule_too_deep"}


def test_segments_follow_each_other_only_so_far(app: AppDoors) -> None:
    segment = make(app)["id"]
    for _ in range(9):
        segment = make(app, {"type": "not", "of": _named(segment)})["id"]
    body = {"name": "Further", "rule": _named(segment)}
    made = app.client.post("/v1/segments", headers=app.server, json=body)
    body["rule"] = _named(made.json()["id"])
    refused = app.client.post("/v1/segments", headers=app.server, json=body)

    assert made.status_code == 201
    assert pointers(problem(refused, 422, "invalid_payload")) == {"/rule": "rule_too_deep"}


@pytest.mark.parametrize("number", [1e22, -1e20, 1e300, 1.7e308, 2**63 - 1, -(2**63), 0.1])
def test_a_number_is_read_again_as_it_was_written(app: AppDoors, number: float) -> None:
    made = make(app, {**GOLD, "value": number})
    path = f"/v1/segments/{made['id']}"
    again = {"name": "Gold", "rule": {**GOLD, "value": number}}
    changed = app.client.put(path, headers=app.server, json=again)

    assert float(made["rule"]["value"]) == float(number)
    assert (changed.status_code, changed.json()["hash"]) == (200, made["hash"])
    assert app.client.get(f"{path}/count", headers=app.server).status_code == 200


@pytest.mark.parametrize("number", ["18446744073709551616", "1e999"])
def test_a_number_that_nobody_keeps_is_pointed_at(app: AppDoors, number: str) -> None:
    body = '{"name": "x", "rule": {"type": "attribute", "name": "n", "operator": "equals",'
    answer = app.client.post(
        "/v1/segments",
        headers={**app.server, "Content-Type": "application/json"},
        content=f'{body} "value": {number}}}}}',
    )

    assert pointers(problem(answer, 422, "invalid_payload")) == {
        "/rule/value": "number_out_of_range"
    }


def test_no_change_makes_another_segment_too_deep(app: AppDoors) -> None:
    first = make(app)["id"]
    names = [first]
    for _ in range(7):
        names.append(make(app, _named(names[-1]))["id"])
    other = make(app)["id"]
    for _ in range(7):
        other = make(app, _named(other))["id"]
    refused = problem(_put(app, first, _named(other)), 422, "invalid_payload")
    count = app.client.get(f"/v1/segments/{names[-1]}/count", headers=app.server)

    assert pointers(refused) == {"/rule": "rule_too_deep"}
    # The first that goes too far is named.
    assert any(name in refused["detail"] for name in names[1:])
    assert count.status_code == 200
    assert app.client.get(f"/v1/segments/{first}", headers=app.server).json()["rule"] == GOLD
    assert _put(app, first, {**GOLD, "value": "silver"}).status_code == 200
