"""Twenty clients at once, with the batch job between them: money is conserved and nobody is left in a deadlock."""

import random
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.scenarios.test_monolith_seed import RUNNING, UNBALANCED
from tests.support.monolith import running_monolith

CLIENTS, EACH = 20, 15
ACCOUNTS = [str(2_000_000_001 + index) for index in range(6)]


def test_concurrent_transfers_conserve_money_and_never_deadlock(legacy_db, tmp_path):
    with running_monolith(legacy_db, tmp_path) as bank:
        before = bank.rows("SELECT ccy, sum(bal_amt) FROM acctmast GROUP BY ccy ORDER BY ccy")

        def client(number):
            chance = random.Random(number)
            codes = []
            with httpx.Client(base_url=bank.client.base_url, timeout=60) as http:
                for turn in range(EACH):
                    payer, payee = chance.sample(ACCOUNTS, 2)
                    body = {
                        "ref": f"client-{number}-{turn}",
                        "to": payee,
                        "amt": f"{chance.randrange(1, 900_000) / 100:.2f}",
                    }
                    codes.append(http.post(f"/accounts/{payer}/transfers", json=body).json()["rc"])
                if number % 5 == 0:
                    codes.append(http.post("/sys/job/INTCALC").json()["rc"])
            return codes

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = [code for codes in pool.map(client, range(CLIENTS)) for code in codes]
        assert set(answers) <= {"00", "51", "0"}
        assert answers.count("00") > CLIENTS
        assert answers.count("0") == 4
        (posted,) = bank.rows("SELECT count(*) FROM trnhist WHERE trn_ref LIKE 'client-%%'")
        assert posted[0] == 2 * answers.count("00")
        assert bank.rows("SELECT ccy, sum(bal_amt) FROM acctmast GROUP BY ccy ORDER BY ccy") == before
        assert bank.rows(RUNNING) == [(0,)]
        assert bank.rows(UNBALANCED) == [(0,)]
        assert bank.rows("SELECT count(*) FROM acctmast WHERE acct_typ <> 'G' AND bal_amt < 0") == [(0,)]
