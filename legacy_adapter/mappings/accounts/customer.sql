-- target: customer
-- key: customer_id
-- dialect: oracle
-- LST_UPD is CORE/87's own bookkeeping: it is not mapped and keeps its value when a row comes back.
SELECT CUST_NO                                                            AS customer_id,
       CUST_NM                                                            AS name,
       TO_DATE(DOB, 'DDMMYYYY')                                           AS born_on,  -- the one date that starts with the day
       SEG                                                                AS segment,
       CNTRY                                                              AS country,
       DECODE(CUST_STS, '00', 'active', '10', 'dormant', '90', 'closed')  AS status
FROM   CUSTMAST
