from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, select

from shadow.upserts import upsert

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("total", Integer),
    Column("last", Integer),
    Column("first", Integer),
)


def test_a_row_is_made_and_then_added_to() -> None:
    statement = upsert(things, add=("total",), put=("last",), by=("name",))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        things.metadata.create_all(connection)
        for number in (3, 4):
            connection.execute(statement, {"name": "a", "total": number, "last": number, "first": number})
        rows = connection.execute(select(things.c.total, things.c.last, things.c.first)).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(7, 4, 3)]
