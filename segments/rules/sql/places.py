"""The place of a person in SQL, as `measuring.is_near` has it: on a sphere, without extensions."""

import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from segments.rules.measuring import DEGREE_DIGITS, EARTH_RADIUS_KM, chord
from segments.rules.node import Near
from segments.rules.sql.binding import Truth, bound
from segments.rules.sql.comparisons import Json
from segments.rules.values import to_decimal
from segments.tables import person

# What is kept around the box for rounding, in degrees.
_MARGIN = 1e-6


def is_near(node: Near) -> Truth:
    """Tell whether the person's place is near; a box spares most people the trigonometry."""
    box = _box(node)
    places = (Json(person.c.attributes, path) for path in (node.latitude_path, node.longitude_path))
    north, east = places
    latitude, longitude = _degrees(north), _degrees(east)
    across = sa.func.sin(sa.func.radians(longitude - _double(node.longitude)) / _double(2))
    along = sa.func.sin(sa.func.radians(latitude - _double(node.latitude)) / _double(2))
    cosines = _double(math.cos(math.radians(node.latitude))) * sa.func.cos(
        sa.func.radians(latitude)
    )
    haversine = along * along + cosines * (across * across)
    is_inside = sa.and_(_within(north, box[0]), _within(east, box[1]))
    return sa.case((is_inside, haversine <= _double(chord(node))), else_=sa.false())


def _double(value: float) -> ColumnElement[Any]:
    return bound(float(value), sa.Double)


def _within(value: Json, sides: tuple[float, float]) -> Truth:
    return value.within(*map(to_decimal, sides))


def _degrees(value: Json) -> ColumnElement[Any]:
    # Rounded, so that a number too small for a double can not abort the statement.
    return sa.cast(sa.func.round(value.as_numeric, DEGREE_DIGITS), sa.Double)


def _box(node: Near) -> tuple[tuple[float, float], tuple[float, float]]:
    angle = min(node.within_km / EARTH_RADIUS_KM, math.pi)
    reach = math.degrees(angle) + _MARGIN
    latitudes = max(-90.0, node.latitude - reach), min(90.0, node.latitude + reach)
    everywhere = -180.0, 180.0
    if latitudes[0] <= -90 or latitudes[1] >= 90:
        return latitudes, everywhere
    widest = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(node.latitude))))
    longitudes = node.longitude - widest - _MARGIN, node.longitude + widest + _MARGIN
    # Across the date line there would be two boxes; it is rare.
    is_one = longitudes[0] >= -180 and longitudes[1] <= 180
    return latitudes, longitudes if is_one else everywhere
