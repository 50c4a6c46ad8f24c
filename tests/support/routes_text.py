"""A routes.yaml with a comment on everything, for tests that read and write it."""

ROUTES_TEXT = """\
# The bank's routes.
version: 1
databases:
  legacy: {url: "${LEGACY_DB:-postgresql://127.0.0.1/corebank}"}   # the monolith's
  ledger: {url: "postgresql://127.0.0.1/ledger"}
upstreams:
  monolith: {url: "http://127.0.0.1:9100", connect_timeout: 250ms, timeout: 30s}
  ledger:
    url: "http://127.0.0.1:9201"
    breaker: {failures: 3, open_for: 10s}
default: monolith
capabilities:
  accounts:            # the first to move
    legacy: monolith
    modern: ledger
    stage: shadow      # since Monday
    canary: {percent: 5, key: "header:X-Customer-Id"}
    sync: {source: legacy, target: ledger, mappings: mappings/accounts}
    gates: {mismatch_rate: 0.1%, lag: 2s}
  cards:
    legacy: monolith
    modern: ledger
routes:
  - match: "GET /accounts/{account_id}"
    capability: accounts
    compare: {ignore: ["$.served_by"]}
  - match: "POST /cics"
    name: inquiry
    when: {body: {offset: 0, equals: INQA, codepage: cp037}}
    write: false
    capability: accounts
  - match: "POST /cics"
    name: transfer
    when: {body: {offset: 0, equals: XFER, codepage: cp037}}
    capability: accounts
  - match: "* /admin/{rest...}"
    upstream: monolith
"""
