"""Revisions as SQL: fifty that would hurt a running system, with the rule that must say so, and twenty that are good."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One revision of a branch; `rule` is what must be found in it, empty where nothing may be."""

    sql: str
    rule: str = ""
    branch: str = "expand"


_IN_TURN = "COMMIT;\n{};\nBEGIN"

BAD = [
    Sample("ALTER TABLE public.account ADD COLUMN x int NOT NULL", "adding-required-field"),
    Sample("ALTER TABLE public.account ADD COLUMN x uuid DEFAULT gen_random_uuid()", "adding-field-with-default"),
    Sample("ALTER TABLE public.account ALTER COLUMN name SET NOT NULL", "adding-not-nullable-field"),
    Sample("ALTER TABLE public.account ALTER COLUMN balance TYPE bigint", "changing-column-type"),
    Sample("ALTER TABLE public.account RENAME COLUMN name TO title", "renaming-column"),
    Sample("ALTER TABLE public.account RENAME TO accounts", "renaming-table"),
    Sample("ALTER TABLE public.account DROP COLUMN name", "ban-drop-column"),
    Sample("DROP TABLE public.account", "ban-drop-table"),
    Sample("ALTER TABLE public.account ADD CONSTRAINT c CHECK (balance > 0)", "constraint-missing-not-valid"),
    Sample("ALTER TABLE public.account ADD CONSTRAINT u UNIQUE (name)", "disallowed-unique-constraint"),
    Sample("ALTER TABLE public.account ADD PRIMARY KEY (id)", "adding-serial-primary-key-field"),
    Sample("ALTER TABLE public.posting ADD CONSTRAINT f FOREIGN KEY (account) REFERENCES public.account (id)", "adding-foreign-key-constraint"),
    Sample("CREATE INDEX i ON public.account (name)", "require-concurrent-index-creation"),
    Sample("DROP INDEX public.i", "require-concurrent-index-deletion"),
    Sample("CREATE INDEX CONCURRENTLY i ON public.account (name)", "ban-concurrent-index-creation-in-transaction"),
    Sample("ALTER TABLE public.account REPLICA IDENTITY NOTHING", "ban-replica-identity"),
    Sample("ALTER TABLE public.account DISABLE TRIGGER ALL", "ban-disable-trigger"),
    Sample("CREATE TABLE account2 (id bigint PRIMARY KEY)", "require-table-schema"),
    Sample("ALTER TABLE public.account ALTER COLUMN name DROP NOT NULL", "ban-drop-not-null"),
    Sample("ALTER TABLE public.account SET SCHEMA other", "ban-set-schema"),
    Sample("TRUNCATE public.account CASCADE", "truncate"),
    Sample("UPDATE public.account SET balance = 0 WHERE balance IS NULL", "unbatched-write"),
    Sample("DELETE FROM public.account WHERE name = 'x'", "unbatched-write"),
    Sample("INSERT INTO public.archive SELECT * FROM public.account", "fill-from-select"),
    Sample("TRUNCATE TABLE public.account", "truncate"),
    Sample("LOCK TABLE public.account IN ACCESS EXCLUSIVE MODE", "lock-table"),
    Sample("CLUSTER public.account USING account_pk", "rewrite-of-the-table"),
    Sample(_IN_TURN.format("VACUUM FULL public.account"), "rewrite-of-the-table"),
    Sample("ALTER TABLE public.account SET UNLOGGED", "set-unlogged"),
    Sample("ALTER TABLE public.account SET LOGGED", "set-unlogged", "contract"),
    Sample("ALTER TABLE public.account SET TABLESPACE fast", "set-tablespace"),
    Sample("REFRESH MATERIALIZED VIEW public.totals", "refresh-blocks-readers"),
    Sample("CREATE TRIGGER t BEFORE UPDATE ON public.account FOR EACH ROW EXECUTE FUNCTION public.f()", "trigger-on-a-used-table"),
    Sample("ALTER TABLE public.posting ATTACH PARTITION public.p1 FOR VALUES FROM (1) TO (2)", "attach-partition"),
    Sample("DROP TRIGGER strangler_fence ON public.account", "drop-trigger"),
    Sample("DROP POLICY p ON public.account", "drop-policy"),
    Sample("ALTER TABLE public.account ADD COLUMN n bigserial", "serial-column-on-a-used-table"),
    Sample("ALTER TABLE public.account ADD COLUMN n int CHECK (n > 0)", "inline-check"),
    Sample(_IN_TURN.format("CREATE INDEX CONCURRENTLY ON public.account (name)"), "concurrent-index-without-a-name"),
    Sample("DO $$ BEGIN ALTER TABLE public.account DROP COLUMN x; END $$", "hidden-in-a-block"),
    Sample("ALTER TABLE public.posting ADD CONSTRAINT f FOREIGN KEY (account) REFERENCES public.account (id) NOT VALID", "foreign-key-without-index"),
    Sample("CREATE TABLE public.t (id bigint NOT NULL, v text)", "no-primary-key"),
    Sample("CREATE PUBLICATION p FOR ALL TABLES", "publication-for-all-tables"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, v json)", "json-type"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, v money)", "money-type"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, v timetz)", "timetz-type"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, balance double precision)", "float-for-money"),
    Sample("ALTER TYPE public.status ADD VALUE 'frozen';\nALTER TABLE public.account ALTER COLUMN s SET DEFAULT 'frozen'", "enum-value-used-at-once"),
    Sample("SET LOCAL lock_timeout = '2s';\nCOMMIT;\nCREATE INDEX CONCURRENTLY i ON public.account (name);\nBEGIN", "local-setting-is-gone"),
    Sample("ALTER TABLE public.booking ADD CONSTRAINT e EXCLUDE USING gist (room WITH =, span WITH &&)", "exclusion-on-a-used-table"),
]  # fmt: skip

GOOD = [
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, amount numeric(14, 2) NOT NULL, note text)"),
    Sample("ALTER TABLE public.account ADD COLUMN note text"),
    Sample("ALTER TABLE public.account ADD COLUMN is_open boolean NOT NULL DEFAULT true"),
    Sample(_IN_TURN.format("CREATE INDEX CONCURRENTLY IF NOT EXISTS account_name ON public.account (name)")),
    Sample(_IN_TURN.format("DROP INDEX CONCURRENTLY IF EXISTS public.account_name"), branch="contract"),
    Sample("ALTER TABLE public.account VALIDATE CONSTRAINT account_balance"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY);\nCREATE INDEX t_i ON public.t (id)"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, a bigint REFERENCES public.account);\nCREATE INDEX t_a ON public.t (a)"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY);\nINSERT INTO public.t VALUES (1), (2)"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, v int);\nUPDATE public.t SET v = 1"),
    Sample("CREATE SEQUENCE public.t_seq"),
    Sample("COMMENT ON COLUMN public.account.balance IS 'UPDATE it; never TRUNCATE'"),
    Sample("CREATE VIEW public.open_accounts AS SELECT id FROM public.account WHERE status = 'open'"),
    Sample("CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$"),
    Sample("ALTER TABLE public.account ALTER COLUMN note SET DEFAULT ''"),
    Sample("ALTER TABLE public.account DROP COLUMN note", branch="contract"),
    Sample("DROP TABLE public.legacy_account", branch="contract"),
    Sample("DROP TRIGGER old ON public.account", branch="contract"),
    Sample("CREATE TABLE public.t (id bigint PRIMARY KEY, v jsonb, at timestamptz, rate double precision)"),
    Sample("CREATE PUBLICATION p FOR TABLE public.account"),
]  # fmt: skip
