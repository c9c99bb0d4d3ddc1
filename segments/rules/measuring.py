"""What a person's events, place and id come to: the figures that nodes compare. Pure."""

import hashlib
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from segments.rules.building import BUCKETS
from segments.rules.comparing import value_holds
from segments.rules.facts import EventFacts, Facts, Measure
from segments.rules.moments import Clock, Window
from segments.rules.node import Bucket, Events, Followed, Near, Ranking
from segments.rules.paths import Path, find
from segments.rules.values import to_amount, to_decimal, type_of
from segments.rules.zones import find_zone

EARTH_RADIUS_KM: Final = 6_371.0088
# Degrees are rounded to a tenth of a micrometre: so they fit a double in both engines.
DEGREE_DIGITS: Final = 12
# The first so many bytes of the hash say which part of all there can be it falls into.
BUCKET_BYTES: Final = 8


def events_in(events: Events, window: Window, facts: Facts, clock: Clock) -> list[EventFacts]:
    """Return the person's events that are meant, in the window."""
    span = window.span(clock)
    return [
        one
        for one in facts.events
        if one.name == events.name
        and span.holds(one.at)
        and all(
            value_holds(condition.test, find(one.properties, condition.path), clock)
            for condition in events.where
        )
    ]


def amounts(events: Sequence[EventFacts], path: Path) -> list[Fraction]:
    """Return the numbers of a property, without what is none."""
    found = (to_amount(find(one.properties, path)) for one in events)
    return [amount for amount in found if amount is not None]


def aggregate(measure: str, values: Sequence[Fraction]) -> Fraction | None:
    """Return the sum, min, max or avg, exactly; None without values."""
    if not values:
        return None
    match measure:
        case "sum":
            return sum(values, Fraction(0))
        case "min":
            return min(values)
        case "max":
            return max(values)
        case _:
            return sum(values, Fraction(0)) / len(values)


def is_followed(node: Followed, facts: Facts, clock: Clock) -> bool:
    """Tell whether the first thing was followed by the other, or has gone without it."""
    firsts = [one.at for one in events_in(node.first, node.window, facts, clock)]
    thens = [one.at for one in events_in(node.then, Window(), facts, clock)]
    if node.negated:
        # Whether something was left undone is known when its time has passed.
        firsts = [at for at in firsts if at + node.within.span <= clock.now]
    return any(
        any(at < then <= at + node.within.span for then in thens) is not node.negated
        for at in firsts
    )


def degrees(facts: Facts, path: Path, most: int) -> float | None:
    """Return degrees from an attribute; None when it holds no number of degrees."""
    value = find(facts.attributes, path)
    if type_of(value) != "number" or not -most <= to_decimal(value) <= most:
        return None
    step = Decimal(1).scaleb(-DEGREE_DIGITS)
    return float(to_decimal(value).quantize(step, rounding=ROUND_HALF_UP))


def chord(node: Near) -> float:
    """Return the haversine of the largest distance that is near enough."""
    return math.sin(min(node.within_km / (2 * EARTH_RADIUS_KM), math.pi / 2)) ** 2


def is_near(node: Near, facts: Facts) -> bool:
    """Tell whether the person's place is within the distance, on a sphere."""
    latitude = degrees(facts, node.latitude_path, 90)
    longitude = degrees(facts, node.longitude_path, 180)
    if latitude is None or longitude is None:
        return False
    return _haversine(node, latitude, longitude) <= chord(node)


def _haversine(node: Near, latitude: float, longitude: float) -> float:
    # Operation by operation as the SQL has it, so that both round alike.
    across = math.sin(math.radians(longitude - node.longitude) / 2)
    along = math.sin(math.radians(latitude - node.latitude) / 2)
    cosines = math.cos(math.radians(node.latitude)) * math.cos(math.radians(latitude))
    return along * along + cosines * (across * across)


def distance_km(node: Near, latitude: float, longitude: float) -> float:
    """Return how far a place is from the point of a node."""
    haversine = min(1.0, _haversine(node, latitude, longitude))
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(haversine))


def rank_value(ranking: Ranking, facts: Facts, clock: Clock) -> Measure | None:
    """Return what the person is ranked by; None for somebody who is not ranked."""
    done = events_in(Events(name=ranking.event), ranking.window, facts, clock)
    if not done:
        return None
    if ranking.measure == "recency":
        return max(one.at for one in done)
    if ranking.measure == "frequency" or ranking.amount is None:
        return len(done)
    return aggregate("sum", amounts(done, ranking.amount))


def score(value: Measure, bounds: Sequence[Measure]) -> int:
    """Return the score of a value, given the values above which scores from 2 on begin."""
    return 1 + sum(_is_above(value, bound) for bound in bounds)


def _is_above(value: Measure, bound: Measure) -> bool:
    if isinstance(value, datetime) or isinstance(bound, datetime):
        return isinstance(value, datetime) and isinstance(bound, datetime) and value > bound
    return value > bound


def bucket_of(node: Bucket, external_id: str) -> int:
    """Return the part that a person falls into, from 0."""
    digest = hashlib.sha256(f"{node.salt}:{external_id}".encode()).digest()
    return int.from_bytes(digest[:BUCKET_BYTES]) * BUCKETS >> 8 * BUCKET_BYTES


def bucket_start(part: int) -> bytes:
    """Return the first bytes of the lowest hash in a part."""
    return (-(-(part << 8 * BUCKET_BYTES) // BUCKETS)).to_bytes(BUCKET_BYTES)


def today_of(facts: Facts, clock: Clock) -> date:
    """Return the day it is where the person lives; the app's where that is unknown."""
    zone = find_zone(facts.time_zone)
    return clock.now.astimezone(clock.zone if zone is None else zone).date()


def last_moment(measure: str, events: Sequence[EventFacts]) -> datetime | None:
    """Return when the first or the last of some events was."""
    moments = [one.at for one in events]
    return (min if measure == "first" else max)(moments, default=None)
