"""The monolith's interfaces over a real database and a real socket: what it answers, and in which order it refuses."""

import re
import signal
import socket
import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest

from legacy_adapter.blocks import layout
from legacy_adapter.codec import decode, encode
from legacy_adapter.monolith.seed import INTERNAL_ACCOUNTS
from tests.support.monolith import PROGRAM, running_monolith
from tests.support.waiting import wait_until

PAYER, PAYEE, BLOCKED, DORMANT, CLOSED, EURO = (str(2_000_000_001 + index) for index in range(6))
READ_EXACTLY = msgspec.json.Decoder(dict, float_hook=Decimal)
MONEY = "SELECT ccy, sum(bal_amt) FROM acctmast GROUP BY ccy ORDER BY ccy"
EVERYTHING = """
SELECT (SELECT count(*) FROM trnhist), (SELECT md5(string_agg(a::text, ',' ORDER BY acct_no)) FROM acctmast AS a)
"""


@pytest.fixture(scope="module")
def running(legacy_server, tmp_path_factory):
    database = legacy_server.create_database("monolith_answers")
    with running_monolith(database, tmp_path_factory.mktemp("monolith")) as monolith:
        yield monolith
    legacy_server.drop_database("monolith_answers")


@pytest.fixture
def bank(running):
    """Six accounts in the states that the tests need, and 1234.50 for the payer."""
    states = ((PAYER, "00", "GBP"), (PAYEE, "00", "GBP"), (BLOCKED, "20", "GBP"), (DORMANT, "10", "GBP"))
    for number, status, currency in (*states, (CLOSED, "90", "GBP"), (EURO, "00", "EUR")):
        running.change("UPDATE acctmast SET acct_sts = %s, ccy = %s WHERE acct_no = %s", status, currency, number)
    running.change("UPDATE acctmast SET bal_amt = 1234.50 WHERE acct_no = %s", PAYER)
    return running


def test_an_account_and_its_money(bank):
    answer = bank.client.get(f"/accounts/{PAYER}")
    assert answer.status_code == 200
    assert answer.headers["server"] == "CORE87"
    assert answer.headers["content-type"] == "application/json"
    (row,) = bank.rows("SELECT cust_no FROM acctmast WHERE acct_no = %s", PAYER)
    assert answer.text == (
        f'{{"acctNo":"{PAYER}","custNo":"{row[0]}","typ":"C","ccy":"GBP","bal":1234.5,"sts":"00","rc":"00"}}'
    )


def test_what_is_not_there_is_answered_with_200(bank):
    for path in ("/accounts/9999999999", "/accounts/9999999999/statement"):
        answer = bank.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"rc": "14", "msg": "ACCOUNT NOT FOUND"})
    assert bank.client.get("/customers/99999999/accounts").json()["rc"] == "14"
    assert bank.client.get("/transfers/nothing").json()["rc"] == "14"


def test_a_transfer_moves_money_and_shows_everywhere(bank):
    ((before,),) = bank.rows("SELECT bal_amt FROM acctmast WHERE acct_no = %s", PAYEE)
    after = before + Decimal("12.34")
    assert bank.transfer(PAYER, PAYEE, "12.34", "ref-1") == {"rc": "00", "ref": "ref-1", "bal": 1222.16}
    assert bank.client.get("/transfers/ref-1").text == (
        '{"rc":"00","ref":"ref-1","legs":['
        f'{{"acctNo":"{PAYER}","drcr":"D","amt":12.34}},{{"acctNo":"{PAYEE}","drcr":"C","amt":12.34}}]}}'
    )
    debit, credit = bank.rows(
        "SELECT drcr, bal_aft, trn_txt, trn_ts, trn_seq::int FROM trnhist WHERE trn_ref = 'ref-1' ORDER BY trn_seq"
    )
    assert debit[:3] == ("D", Decimal("1222.16"), "TEST")
    assert credit[:3] == ("C", after, "TEST")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\d\d\.\d\d\.\d\d\.\d{6}", str(credit[3]))
    statement = READ_EXACTLY.decode(bank.client.get(f"/accounts/{PAYEE}/statement?limit=1").content)
    shown = {"dt": "20261102", "seq": credit[4], "ref": "ref-1", "cd": "XFER", "drcr": "C", "amt": Decimal("12.34")}
    assert statement["items"] == [shown | {"balAft": after, "cpty": PAYER}]
    dates = bank.rows("SELECT DISTINCT lst_trn_dt FROM acctmast WHERE acct_no IN (%s, %s)", PAYER, PAYEE)
    assert dates == [("20261102",)]


REFUSALS = [
    ("9999999999", PAYEE, "0.001", "30"),
    (PAYER, "9999999999", "0", "30"),
    (PAYER, PAYER, "1", "30"),
    ("9999999999", PAYEE, "1", "14"),
    (BLOCKED, "9999999999", "1", "14"),
    (PAYER, f"{PAYEE} ", "1", "14"),
    (BLOCKED, PAYEE, "999999999", "20"),
    (DORMANT, PAYEE, "1", "20"),
    (CLOSED, PAYEE, "1", "20"),
    (PAYER, BLOCKED, "1", "20"),
    (PAYER, CLOSED, "1", "20"),
    (PAYER, EURO, "999999999", "20"),
    (PAYER, PAYEE, "1234.51", "51"),
    (INTERNAL_ACCOUNTS["GBP"], PAYEE, "1", "51"),
]


def test_refusals_come_in_their_order_and_write_nothing(bank):
    before = bank.rows(EVERYTHING)
    for payer, payee, amount, code in REFUSALS:
        answer = bank.transfer(payer, payee, amount, "refused")
        assert (answer["rc"], answer["ref"]) == (code, "refused"), (payer, payee, amount)
    assert bank.rows(EVERYTHING) == before


def test_a_dormant_account_may_be_paid_and_everything_may_be_spent(bank):
    assert bank.transfer(PAYER, DORMANT, "1234.50", "ref-2") == {"rc": "00", "ref": "ref-2", "bal": 0}


def test_lists_are_cut_at_twenty_without_notice(bank):
    bank.change("UPDATE acctmast SET cust_no = '10000001' WHERE acct_typ <> 'G'")
    items = bank.client.get("/customers/10000001/accounts").json()["items"]
    assert [item["acctNo"] for item in items] == [str(2_000_000_001 + index) for index in range(20)]
    assert set(items[0]) == {"acctNo", "typ", "ccy", "bal", "sts"}
    answer = bank.client.get(f"/accounts/{INTERNAL_ACCOUNTS['GBP']}/statement?limit=50").json()
    shown = [(item["dt"], item["seq"]) for item in answer["items"]]
    assert len(shown) == 20
    assert shown == sorted(shown, reverse=True)


def test_the_block_wire_answers_in_ebcdic(bank):
    def ask(request, reply, **values):
        answer = bank.client.post("/cics", content=encode(layout(request), values))
        assert answer.headers["content-type"] == "application/octet-stream"
        record = decode(layout(reply), answer.content)
        assert record.findings == ()
        return record.values

    found = ask("inqa-req", "inqa-reply", TRAN="INQA", **{"ACCT-NO": PAYER})
    assert (found["RC"], found["BALANCE"], found["CCY"], found["STATUS"]) == ("00", Decimal("1234.50"), "GBP", "00")
    missing = ask("inqa-req", "inqa-reply", TRAN="INQA", **{"ACCT-NO": "9999999999"})
    assert (missing["RC"], missing["BALANCE"], missing["CUST-NO"]) == ("14", None, "")
    order = {"TRAN": "XFER", "REF": "ref-3", "FROM": PAYER, "TO": PAYEE, "AMOUNT": Decimal("34.50")}
    posted = ask("xfer-req", "xfer-reply", **order)
    assert posted == {"TRAN": "XFER", "RC": "00", "REF": "ref-3", "BALANCE": Decimal("1200.00")}
    refused = ask("xfer-req", "xfer-reply", **order | {"AMOUNT": Decimal("999999.00")})
    assert refused == {"TRAN": "XFER", "RC": "51", "REF": "ref-3", "BALANCE": None}


def test_operations_and_the_batch_job(bank):
    assert bank.client.get("/sys/busdate").json() == {"busDate": "20261102"}
    assert bank.client.get("/health.jsp").text == "OK"
    before = bank.rows(MONEY)
    ((savings,),) = bank.rows("SELECT count(*) FROM acctmast WHERE acct_typ = 'S' AND acct_sts = '00'")
    assert bank.client.post("/sys/job/INTCALC").json() == {"job": "INTCALC", "rc": "0", "postings": savings}
    posted = bank.rows(
        "SELECT trn_ref, count(*), count(DISTINCT amt) FROM trnhist WHERE trn_ref LIKE 'INT20261102%%' GROUP BY trn_ref"
    )
    assert len(posted) == savings > 0
    assert {row[1:] for row in posted} == {(2, 1)}
    assert bank.rows(MONEY) == before


FENCE = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'fenced' USING ERRCODE = '55006'; END $$;
CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION refuse();
"""


def test_where_the_database_refuses_writes_nothing_is_written_and_the_monolith_says_so(bank):
    before = bank.rows(EVERYTHING)
    order = {"TRAN": "XFER", "REF": "fenced", "FROM": PAYER, "TO": PAYEE, "AMOUNT": Decimal(1)}
    for table in ("acctmast", "trnhist"):
        bank.change(FENCE.format(table=table))
        assert bank.transfer(PAYER, PAYEE, "1", "fenced") == {"rc": "96", "msg": "SYSTEM UNAVAILABLE"}
        reply = bank.client.post("/cics", content=encode(layout("xfer-req"), order))
        assert decode(layout("xfer-reply"), reply.content).values["RC"] == "96"
        assert bank.client.post("/sys/job/INTCALC").json()["rc"] == "8"
        bank.change(f"DROP TRIGGER fence ON {table}")
    assert bank.rows(EVERYTHING) == before
    assert bank.transfer(PAYER, PAYEE, "1", "lifted")["rc"] == "00"


BACKENDS = "FROM pg_stat_activity WHERE application_name = 'corebank' AND datname = current_database()"


def test_connections_that_the_server_ends_are_replaced(bank):
    assert bank.transfer(PAYER, PAYEE, "1", "before")["rc"] == "00"
    ((ended,),) = bank.rows(f"SELECT count(pg_terminate_backend(pid)) {BACKENDS}")
    assert ended >= 1
    wait_until(lambda: bank.rows(f"SELECT count(*) {BACKENDS}") == [(0,)], "the connections are gone")
    assert bank.transfer(PAYER, PAYEE, "1", "after")["rc"] == "00"


def test_a_port_in_use_is_named(bank):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = [sys.executable, "-c", PROGRAM, address]
        ended = subprocess.run(
            program, check=False, env={"LEGACY_DB": bank.database}, capture_output=True, text=True, timeout=20
        )
    assert ended.returncode != 0
    assert f"{address} is in use" in ended.stderr


def test_it_ends_cleanly_when_it_is_interrupted(legacy_db, tmp_path):
    with running_monolith(legacy_db, tmp_path) as monolith:
        assert monolith.client.get("/health.jsp").text == "OK"
        monolith.process.send_signal(signal.SIGINT)
        assert monolith.process.wait(10) == 0
