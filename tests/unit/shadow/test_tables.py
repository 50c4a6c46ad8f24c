from sqlalchemy import create_engine, inspect

from shadow import tables


def test_the_tables_can_be_made_and_each_has_a_key() -> None:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    inspector = inspect(engine)
    assert set(inspector.get_table_names()) == set(tables.metadata.tables)
    for name in tables.metadata.tables:
        assert inspector.get_pk_constraint(name)["constrained_columns"]
    engine.dispose()


def test_no_column_is_made_for_a_body_or_a_header() -> None:
    names = {column.name for table in tables.metadata.tables.values() for column in table.columns}
    assert not names & {"body", "headers", "value", "query", "url"}
