-- target: account
-- key: account_id
-- dialect: oracle
-- Accounts of type X were closed out before the migration; they have no postings and stay in CORE/87.
SELECT ACCT_NO                                                                           AS account_id,
       CUST_NO                                                                           AS customer_id,
       DECODE(ACCT_TYP, 'C', 'current', 'S', 'savings', 'G', 'internal')                 AS product,
       CCY                                                                               AS currency,
       BAL_AMT                                                                           AS balance,
       DECODE(ACCT_STS, '00', 'open', '10', 'dormant', '20', 'blocked', '90', 'closed')  AS status,
       TO_DATE(OPEN_DT, 'YYYYMMDD')                                                      AS opened_on,
       BRCH_CD                                                                           AS branch
FROM   ACCTMAST
WHERE  ACCT_TYP <> 'X'
