"""Contract revisions wait for the stage that allows them."""

from pathlib import Path

import pytest

from migrations.errors import ContractNotAllowed
from runbook.contract_stage import stage_that_allows

ROUTES = """version: 1
databases: {{legacy: {{url: "postgresql://127.0.0.1/a"}}, ledger: {{url: "postgresql://127.0.0.1/b"}}}}
upstreams: {{monolith: {{url: "http://127.0.0.1:1"}}, ledger: {{url: "http://127.0.0.1:2"}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: {stage},
              sync: {{source: legacy, target: ledger, mappings: mappings}}}}
routes: []
"""


def routes(folder: Path, stage: str) -> Path:
    path = folder / "routes.yaml"
    path.write_text(ROUTES.format(stage=stage))
    return path


@pytest.mark.parametrize("stage", ["legacy", "shadow", "modern"])
def test_a_stage_before_retired_refuses_contract(tmp_path: Path, stage: str) -> None:
    with pytest.raises(ContractNotAllowed, match=f"accounts is in stage {stage}"):
        stage_that_allows(routes(tmp_path, stage), "ledger")


def test_retired_allows_contract_for_its_own_database_only(tmp_path: Path) -> None:
    path = routes(tmp_path, "retired")
    assert stage_that_allows(path, "ledger") == "accounts"
    with pytest.raises(ContractNotAllowed, match="no capability of"):
        stage_that_allows(path, "wallet")
