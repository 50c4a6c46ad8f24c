CREATE SEQUENCE public.trnhist_seq START WITH 1;

CREATE TABLE public.custmast (
    cust_no char(8) NOT NULL,
    cust_nm varchar(40) NOT NULL,
    dob char(8) NOT NULL,
    seg char(1),
    cntry char(2),
    cust_sts char(2) NOT NULL,
    lst_upd char(26),
    CONSTRAINT custmast_pk PRIMARY KEY (cust_no)
);

CREATE TABLE public.acctmast (
    acct_no char(10) NOT NULL,
    cust_no char(8) NOT NULL,
    acct_typ char(1) NOT NULL,
    ccy char(3) NOT NULL,
    bal_amt numeric(12,2) NOT NULL,
    acct_sts char(2) NOT NULL,
    open_dt char(8) NOT NULL,
    lst_trn_dt char(8),
    brch_cd char(4) NOT NULL,
    CONSTRAINT acctmast_pk PRIMARY KEY (acct_no)
);

CREATE TABLE public.trnhist (
    trn_dt char(8) NOT NULL,
    trn_seq numeric(12) NOT NULL,
    acct_no char(10) NOT NULL,
    trn_ref varchar(36) NOT NULL,
    trn_cd char(4) NOT NULL,
    drcr char(1) NOT NULL,
    amt numeric(12,2) NOT NULL,
    bal_aft numeric(12,2) NOT NULL,
    cpty_acct char(10),
    trn_ts char(26) NOT NULL,
    trn_txt varchar(40),
    CONSTRAINT trnhist_pk PRIMARY KEY (trn_dt, trn_seq)
);

CREATE TABLE public.ctlparm (
    parm_cd char(8) NOT NULL,
    parm_val varchar(80),
    CONSTRAINT ctlparm_pk PRIMARY KEY (parm_cd)
);

ALTER TABLE public.acctmast ADD CONSTRAINT acctmast_cust_fk FOREIGN KEY (cust_no) REFERENCES public.custmast (cust_no);

ALTER TABLE public.trnhist ADD CONSTRAINT trnhist_acct_fk FOREIGN KEY (acct_no) REFERENCES public.acctmast (acct_no);
