"""SQL of consents: the present state, and the ledger of how it came about."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, text

from delivery.tables import app
from segments.consents.consent import Consent, ConsentKind
from segments.tables import consent, consent_change

_CHANGES_LIMIT = 100
# Who says the same again changes nothing, but has said it now: a merge asks what was said last. Now
# is not when the transaction began: others may have said something since. Rows are taken in one
# order: nobody waits in a circle. The people are locked, so `known` is what the insert finds. Of
# those who say it first and those who changed their mind, the triggers of `consent` take the rows
# of `person_reach` one after the other: where there are both, they are taken before, in one order.
_SET = text("""
WITH given AS (
    SELECT * FROM unnest(CAST(:people AS int8[]), CAST(:kinds AS text[]), CAST(:granted AS bool[]))
         AS g(person_id, kind, granted)
),
known AS MATERIALIZED (
    SELECT c.person_id, c.kind, c.granted, g.granted AS wanted FROM given g
    JOIN consent c ON c.app_id = :app_id AND c.person_id = g.person_id AND c.kind = g.kind
),
held AS MATERIALIZED (
    SELECT person_reach_hold(:app_id, array_agg(person_id)) FROM given WHERE kind = 'push'
    HAVING count(*) > (SELECT count(*) FROM known WHERE kind = 'push')
       AND EXISTS (SELECT FROM known WHERE kind = 'push' AND granted <> wanted)
),
said AS (
    INSERT INTO consent AS c (app_id, person_id, kind, granted, source, at)
    SELECT :app_id, g.person_id, g.kind, g.granted, :source, (SELECT clock_timestamp())
    FROM given g WHERE (SELECT count(*) FROM held) >= 0 ORDER BY g.person_id, g.kind
    ON CONFLICT (app_id, person_id, kind) DO UPDATE
    SET granted = excluded.granted, source = excluded.source, at = excluded.at
    RETURNING person_id, kind, granted, source, at
)
INSERT INTO consent_change (app_id, person_id, kind, granted, source, at)
SELECT :app_id, person_id, kind, s.granted, s.source, s.at
FROM said s LEFT JOIN known k USING (person_id, kind)
WHERE k.granted IS DISTINCT FROM s.granted ORDER BY person_id, kind
""")


def set_many(
    connection: Connection, app_id: int, wishes: Mapping[int, Mapping[str, bool]], source: str
) -> None:
    """Set consents by kind of several people, by their inner ids, and write down what changed.

    The caller holds these people, so that nobody else sets theirs meanwhile.
    """
    rows = [(person, kind, yes) for person, kinds in wishes.items() for kind, yes in kinds.items()]
    values = {
        "app_id": app_id,
        "people": [person for person, _, _ in rows],
        "kinds": [kind for _, kind, _ in rows],
        "granted": [yes for _, _, yes in rows],
        "source": source,
    }
    connection.execute(_SET, values)


def present(connection: Connection, app_id: int, person_id: int) -> list[Consent]:
    """Return the state of every kind; where nothing was said, the app's default."""
    defaults = connection.execute(
        sa.select(app.c.push_by_default, app.c.analytics_by_default).where(app.c.id == app_id)
    ).one()
    named = dict(zip(ConsentKind, defaults, strict=True))
    said = connection.execute(
        sa.select(consent.c.kind, consent.c.granted, consent.c.source, consent.c.at).where(
            consent.c.app_id == app_id, consent.c.person_id == person_id
        )
    )
    known = {row.kind: Consent(*row) for row in said}
    return [known.get(kind, Consent(kind, granted)) for kind, granted in named.items()]


def changes(connection: Connection, app_id: int, person_id: int) -> Sequence[Consent]:
    """Return the last changes of a person's consents, the newest first."""
    columns = consent_change.c
    rows = connection.execute(
        sa.select(columns.kind, columns.granted, columns.source, columns.at)
        .where(columns.app_id == app_id, columns.person_id == person_id)
        .order_by(columns.id.desc())
        .limit(_CHANGES_LIMIT)
    )
    return [Consent(*row) for row in rows]
