"""Dates compared with text on PostgreSQL: the bounds that an index answers leave out nothing that the comparison finds."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from roots import SHARED

from undercroft import testing
from undercroft.database.postgresql import PostgresEngine

pytestmark = pytest.mark.anyio

MOMENTS = """INSERT INTO "m" SELECT timestamptz '2023-12-31 00:00Z' + i * interval '7 hours 13 minutes 11.123 seconds'
    FROM generate_series(1, 600) AS i UNION ALL SELECT unnest(ARRAY['-infinity', '0001-01-01 00:00Z',
    '2024-02-29 12:30:05.250Z', '2024-02-29 12:30:05.999Z', '2024-03-01 00:00Z', '9999-12-31 23:59:59.999Z']::timestamptz[])"""
LEFT_OUT = """SELECT count(*) FROM "m" WHERE undercroft.date_text("t") {} $1::text COLLATE "C"
    AND NOT "t" {} undercroft.moment_bound($1::text, {})"""
DIGITS = st.from_regex(r"\A(\d{4}|20\d\d)-[01]\d-[0-3]\d([ T][0-2]\d:[0-5]\d:[0-6]\d)?[.Z ]?\Z")


@pytest.fixture
async def engine(postgres):
    engine = await PostgresEngine.open(postgres.database())
    await engine.write(lambda tx: tx.run('CREATE TABLE "m" ("t" timestamptz)'))
    await engine.write(lambda tx: tx.run(MOMENTS))
    yield engine
    await engine.close()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(text=DIGITS)
@example(text="")
@example(text="2024")
@example(text="2024-02-30 10:00:00")
@example(text="2024-04-31")
@example(text="9999-12-31 23:59:59")
@example(text="0000-01-01")
@example(text="x")
async def test_bounds_leave_out_nothing(engine, text):
    """Whatever text a date is compared with, and however."""
    for operator in (">", ">="):
        assert await engine.read(LEFT_OUT.format(operator, ">=", "false"), (text,)) == [(0,)]
    for operator in ("<", "<="):
        assert await engine.read(LEFT_OUT.format(operator, "<=", "true"), (text,)) == [(0,)]


async def test_a_range_of_dates_is_read_from_the_index(tmp_path, postgres, postgres_furnished):
    """A filter for a day does not read the rows of all others."""
    async with testing.client(tmp_path, postgres.database(postgres_furnished), root=SHARED) as client:
        token = await client.superuser()
        index = "CREATE INDEX by_day ON days (day)"
        body = {"name": "days", "fields": [{"name": "day", "type": "date"}], "listRule": "", "indexes": [index]}
        assert (await client.post("/api/collections", body, as_=token)).status == 200
        hours = "timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' FROM generate_series(1, 20000) AS i"
        for sql in (f'INSERT INTO "days" ("day") SELECT {hours}', "ANALYZE"):
            await client.backend.engine.write(lambda tx, sql=sql: tx.run(sql))

        answer = await client.get(
            "/api/collections/days/records",
            as_=token,
            filter="day >= '2025-03-01' && day < '2025-03-02'",
            headers={"X-Undercroft-Explain": "1"},
        )

        assert answer.json["totalItems"] == 24
        assert "by_day" in str(answer.json["explain"])
