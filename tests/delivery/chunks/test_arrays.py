"""Array literals mean to PostgreSQL what the values were."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from delivery.chunks.arrays import numbers, storable, words

SPECIAL = [
    '"',
    "\\",
    '\\"',
    "{}",
    ",",
    "NULL",
    "null",
    "",
    " ",
    "a\nb\tc",
    "\\N",
    "ü€🔔",
    "\0",
    "\ud800",
]
ANY_WORDS = st.one_of(
    st.none(), st.sampled_from(SPECIAL), st.text(), st.text(st.characters(), max_size=5)
)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'))


@given(st.lists(st.one_of(ANY_WORDS, PLAIN), max_size=8))
def test_texts_arrive_as_they_were_but_for_what_can_not_be_stored(
    values: list[str | None],
) -> None:
    assert parsed(words(values)) == [storable(value) for value in values]


@given(st.lists(PLAIN, min_size=1, max_size=8))
def test_the_quick_way_writes_what_the_careful_way_writes(values: list[str]) -> None:
    # An empty reference at the end forces the careful way.
    assert words([*values, None]) == words(values)[:-1] + ",NULL}"


def test_postgresql_reads_the_texts_back(connection: Connection) -> None:
    values = [*SPECIAL, None, "x" * 600]

    found = connection.execute(text("SELECT CAST(:v AS text[])"), {"v": words(values)}).scalar_one()

    assert found == [storable(value) for value in values]
    assert max(len(value or "") for value in found) == 500


def test_postgresql_reads_plain_texts_and_numbers_back(connection: Connection) -> None:
    plain = ["projects/p/messages/0:1%1a", "5B1A-9", ""]
    many = [1, None, -5, 2**62]

    found = connection.execute(
        text("SELECT CAST(:w AS text[]) AS w, CAST(:n AS int8[]) AS n, CAST(:e AS text[]) AS e"),
        {"w": words(plain), "n": numbers(many), "e": words([])},
    ).one()

    assert (found.w, found.n, found.e) == (plain, many, [])


def parsed(literal: str) -> list[str | None]:
    """Read an array literal of texts by PostgreSQL's rules for what we write."""
    found: list[str | None] = []
    rest = literal.removeprefix("{")
    while rest != "}":
        rest = rest.removeprefix(",")
        if rest.startswith("NULL"):
            found.append(None)
            rest = rest[4:]
            continue
        end, value = 1, ""
        while rest[end] != '"':
            end += rest[end] == "\\"
            value += rest[end]
            end += 1
        found.append(value)
        rest = rest[end + 1 :]
    return found
