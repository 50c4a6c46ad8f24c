"""The demo bank's tables as PostgreSQL has them on both sides, for tests of mappings that need no service."""

LEGACY = """
CREATE TABLE custmast (cust_no char(8) PRIMARY KEY, cust_nm varchar(40) NOT NULL, dob char(8) NOT NULL, seg char(1),
    cntry char(2), cust_sts char(2) NOT NULL, lst_upd char(26));
CREATE TABLE acctmast (acct_no char(10) PRIMARY KEY, cust_no char(8) NOT NULL REFERENCES custmast,
    acct_typ char(1) NOT NULL, ccy char(3) NOT NULL, bal_amt numeric(12,2) NOT NULL, acct_sts char(2) NOT NULL,
    open_dt char(8) NOT NULL, lst_trn_dt char(8), brch_cd char(4) NOT NULL);
CREATE TABLE trnhist (trn_dt char(8) NOT NULL, trn_seq numeric(12) NOT NULL,
    acct_no char(10) NOT NULL REFERENCES acctmast, trn_ref varchar(36) NOT NULL, trn_cd char(4) NOT NULL,
    drcr char(1) NOT NULL, amt numeric(12,2) NOT NULL, bal_aft numeric(12,2) NOT NULL, cpty_acct char(10),
    trn_ts char(26) NOT NULL, trn_txt varchar(40), PRIMARY KEY (trn_dt, trn_seq));
"""

MODERN = """
CREATE TABLE customer (customer_id char(8) PRIMARY KEY, name text NOT NULL, born_on date NOT NULL, segment char(1),
    country char(2), status text NOT NULL CHECK (status IN ('active', 'dormant', 'closed')));
CREATE TABLE account (account_id char(10) PRIMARY KEY, customer_id char(8) NOT NULL REFERENCES customer,
    product text NOT NULL CHECK (product IN ('current', 'savings', 'internal')), currency char(3) NOT NULL,
    balance numeric(14,2) NOT NULL, status text NOT NULL CHECK (status IN ('open', 'dormant', 'blocked', 'closed')),
    opened_on date NOT NULL, branch char(4) NOT NULL);
CREATE TABLE posting (booked_on date, sequence bigint, account_id char(10) NOT NULL REFERENCES account,
    reference varchar(36) NOT NULL, kind text NOT NULL CHECK (kind IN ('transfer', 'interest', 'fee', 'opening')),
    direction char(1) NOT NULL CHECK (direction IN ('D', 'C')), amount numeric(14,2) NOT NULL CHECK (amount > 0),
    balance_after numeric(14,2) NOT NULL, counterparty char(10), posted_at timestamp(6) NOT NULL, note varchar(40),
    PRIMARY KEY (booked_on, sequence));
"""

ROWS = """
INSERT INTO custmast VALUES ('10000001', 'ADA LOVELACE', '10121815', 'P', 'GB', '00', NULL),
    ('10000002', 'BLAISE PASCAL', '19061623', NULL, 'FR', '10', '2026-01-01');
INSERT INTO acctmast SELECT (2000000000 + n)::text, '1000000' || (1 + n % 2), substr('CSG', 1 + n % 3, 1),
    CASE n % 2 WHEN 0 THEN 'GBP' ELSE 'EUR' END, n * 1.25, '00', '20200229', NULL, '0001'
    FROM generate_series(1, 200) AS n;
INSERT INTO acctmast VALUES ('2000000999', '10000001', 'X', 'GBP', 0, '90', '19990101', NULL, '0001');
INSERT INTO trnhist SELECT '20260131', n, (2000000000 + n)::text, 'REF' || n, substr('XFERINTRFEE OPEN', 1 + 4 * (n % 4), 4),
    substr('DC', 1 + n % 2, 1), n + 0.01, n * 2, NULL, '2026-01-31.23.59.59.' || lpad(n::text, 6, '0'),
    CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'text ' || n END FROM generate_series(1, 200) AS n;
"""
