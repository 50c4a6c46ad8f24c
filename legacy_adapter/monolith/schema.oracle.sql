-- CORE/87: customers, accounts and their history.
-- Codes, dates in CHAR and amounts are as the programs of the time left them.

CREATE TABLE CUSTMAST (
    CUST_NO     CHAR(8)            NOT NULL,
    CUST_NM     VARCHAR2(40 CHAR)  NOT NULL,
    DOB         CHAR(8)            NOT NULL,   -- DDMMYYYY
    SEG         CHAR(1),
    CNTRY       CHAR(2),
    CUST_STS    CHAR(2)            NOT NULL,   -- 00 active, 10 dormant, 90 closed
    LST_UPD     CHAR(26),                      -- YYYY-MM-DD.HH24.MI.SS.FFFFFF
    CONSTRAINT CUSTMAST_PK PRIMARY KEY (CUST_NO)
);

CREATE TABLE ACCTMAST (
    ACCT_NO     CHAR(10)           NOT NULL,
    CUST_NO     CHAR(8)            NOT NULL,
    ACCT_TYP    CHAR(1)            NOT NULL,   -- C current, S savings, G internal, X closed out before the migration
    CCY         CHAR(3)            NOT NULL,
    BAL_AMT     NUMBER(12,2)       NOT NULL,
    ACCT_STS    CHAR(2)            NOT NULL,   -- 00 open, 10 dormant, 20 blocked, 90 closed
    OPEN_DT     CHAR(8)            NOT NULL,   -- YYYYMMDD here
    LST_TRN_DT  CHAR(8),
    BRCH_CD     CHAR(4)            NOT NULL,
    CONSTRAINT ACCTMAST_PK PRIMARY KEY (ACCT_NO),
    CONSTRAINT ACCTMAST_CUST_FK FOREIGN KEY (CUST_NO) REFERENCES CUSTMAST (CUST_NO)
);

CREATE TABLE TRNHIST (
    TRN_DT      CHAR(8)            NOT NULL,   -- YYYYMMDD
    TRN_SEQ     NUMBER(12)         NOT NULL,
    ACCT_NO     CHAR(10)           NOT NULL,
    TRN_REF     VARCHAR2(36 CHAR)  NOT NULL,   -- not unique, not indexed
    TRN_CD      CHAR(4)            NOT NULL,   -- XFER, INTR, FEE, OPEN
    DRCR        CHAR(1)            NOT NULL,   -- D or C
    AMT         NUMBER(12,2)       NOT NULL,   -- always above zero
    BAL_AFT     NUMBER(12,2)       NOT NULL,
    CPTY_ACCT   CHAR(10),
    TRN_TS      CHAR(26)           NOT NULL,   -- YYYY-MM-DD.HH24.MI.SS.FFFFFF
    TRN_TXT     VARCHAR2(40 CHAR),
    CONSTRAINT TRNHIST_PK PRIMARY KEY (TRN_DT, TRN_SEQ),
    CONSTRAINT TRNHIST_ACCT_FK FOREIGN KEY (ACCT_NO) REFERENCES ACCTMAST (ACCT_NO)
);

CREATE TABLE CTLPARM (
    PARM_CD     CHAR(8)            NOT NULL,
    PARM_VAL    VARCHAR2(80 CHAR),
    CONSTRAINT CTLPARM_PK PRIMARY KEY (PARM_CD)
);

CREATE SEQUENCE TRNHIST_SEQ START WITH 1 CACHE 50;
