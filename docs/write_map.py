"""Writes the tables of ARCHITECTURE.md from the first sentence of every module; `make fix` runs it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"(<!-- map: (\S+) -->\n).*?(<!-- end of map -->)", re.DOTALL)


def first_sentence(path: Path) -> str:
    """The module's responsibility, as it says it itself."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def table_of(package: str) -> str:
    """A row for every module below the package, revisions aside."""
    paths = [p for p in sorted((ROOT / package).rglob("*.py")) if p.name != "__init__.py" and "versions" not in p.parts]
    rows = [f"| `{path.relative_to(ROOT)}` | {first_sentence(path)} |" for path in paths]
    return "\n".join(["| module | responsibility |", "|---|---|", *rows, ""])


def main() -> None:
    """Replace every table between its marks."""
    page = ROOT / "ARCHITECTURE.md"
    page.write_text(TABLE.sub(lambda found: found[1] + table_of(found[2]) + found[3], page.read_text()))


if __name__ == "__main__":
    main()
