-- target: posting
-- key: booked_on, sequence
-- dialect: oracle
-- 'FEE ' is four characters: TRN_CD is CHAR(4).
SELECT TO_DATE(TRN_DT, 'YYYYMMDD')                                                          AS booked_on,
       TRN_SEQ                                                                              AS sequence,
       ACCT_NO                                                                              AS account_id,
       TRN_REF                                                                              AS reference,
       DECODE(TRN_CD, 'XFER', 'transfer', 'INTR', 'interest', 'FEE ', 'fee', 'OPEN', 'opening') AS kind,
       DRCR                                                                                 AS direction,
       AMT                                                                                  AS amount,
       BAL_AFT                                                                              AS balance_after,
       CPTY_ACCT                                                                            AS counterparty,
       TO_TIMESTAMP(TRN_TS, 'YYYY-MM-DD.HH24.MI.SS.FF6')                                    AS posted_at,
       TRN_TXT                                                                              AS note
FROM   TRNHIST
