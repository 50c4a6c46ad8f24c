"""3,000 pairs of every kind with a known verdict: none may be judged wrongly."""

from collections import Counter

from shadow.compare import judge
from tests.support.answers import REDACTOR
from tests.support.corpus import KINDS, corpus

SEED, COUNT = 20261125, 1000


def test_no_pair_of_the_corpus_is_judged_wrongly() -> None:
    wrong, seen = [], Counter[str]()
    for case in corpus(SEED, COUNT):
        verdict = judge(*case.observations(), case.rules(), case.decoder(), REDACTOR)
        seen[case.expected] += 1
        places = [difference.path for difference in verdict.differences]
        if verdict.kind != case.expected or (case.path and places != [case.path]):
            wrong.append((case.expected, case.number, case.kind, case.path, verdict))
    assert wrong == []
    assert seen == {"different": COUNT, "equivalent": COUNT, "equal": COUNT}


def test_the_corpus_has_every_kind_of_answer() -> None:
    kinds = {case.kind for case in corpus(SEED, 200)}
    assert {kind.name for kind in KINDS} | {"head", "text/html", "application/xml"} <= kinds
