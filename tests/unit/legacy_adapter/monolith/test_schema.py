"""The monolith's tables are what the import makes of its Oracle schema: DDL is read in one place of this program."""

import os
from pathlib import Path

from legacy_adapter.monolith.schema import ORACLE_FILE, SCHEMA_FILE
from migrations.importing.emit import emit
from migrations.importing.reader import read_script
from migrations.importing.type_policy import read_policy
from tests.support.pages import REWRITE


def test_the_tables_are_what_the_import_makes_of_the_oracle_schema(tmp_path: Path) -> None:
    types = tmp_path / "types.yaml"
    types.write_text("oracle:\n  TRNHIST.TRN_SEQ: numeric(12)\n")  # the bank had it so before there was our policy
    schema = read_script(ORACLE_FILE.read_text("utf-8"), read_policy("oracle", types))
    assert len(schema.statements) == schema.translated == 5
    text = "".join(f"{step.sql};\n\n" for step in emit(schema)).strip() + "\n"
    if os.environ.get(REWRITE):
        SCHEMA_FILE.write_text(text, "utf-8")
    assert SCHEMA_FILE.read_text("utf-8") == text
