from hypothesis import given
from hypothesis import strategies as st

from config.names import name_problems

FILE = {
    "databases": {"legacy": {}, "ledger": {}},
    "upstreams": {"monolith": {}, "ledger": {}},
    "default": "monolith",
    "capabilities": {
        "accounts": {"legacy": "monolith", "modern": "ledger", "sync": {"source": "legacy", "target": "ledger"}}
    },
    "routes": [
        {"match": "GET /accounts", "name": "accounts", "capability": "accounts"},
        {"match": "POST /accounts", "capability": "accounts", "shadow": {"verify_by_read": "accounts"}},
        {"match": "PUT /accounts", "capability": "accounts", "shadow": {"verify_by_read": "GET /accounts"}},
        {"match": "GET /x", "upstream": "ledgr", "shadow": {"sandbox": "nowhere"}},
    ],
}


def test_each_name_that_leads_nowhere_is_told_with_its_place_and_the_nearest_one() -> None:
    found = {problem.where: (problem.what, problem.example) for problem in name_problems(FILE)}
    assert found == {
        "routes[2].shadow.verify_by_read": ("'GET /accounts' is not one of the routes of this file", "PUT /accounts"),
        "routes[3].upstream": ("'ledgr' is not one of the upstreams of this file", "ledger"),
        "routes[3].shadow.sandbox": ("'nowhere' is not one of the upstreams of this file", "monolith"),
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FILE, "sync", "shadow"]), inner),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FILE, ANYTHING)))
def test_a_document_of_any_form_is_looked_through(document: dict[str, object]) -> None:
    list(name_problems(document))
