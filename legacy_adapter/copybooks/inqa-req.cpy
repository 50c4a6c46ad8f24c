      * INQA: account inquiry, request.
       01  INQA-REQ.
           05  TRAN              PIC X(4).
           05  ACCT-NO           PIC X(10).
