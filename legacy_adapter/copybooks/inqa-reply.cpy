      * INQA: account inquiry, reply. Numerics are X'00' unless RC is 00.
       01  INQA-REPLY.
           05  TRAN              PIC X(4).
           05  RC                PIC X(2).
           05  ACCT-NO           PIC X(10).
           05  CUST-NO           PIC X(8).
           05  ACCT-TYP          PIC X.
           05  CCY               PIC X(3).
           05  BALANCE           PIC S9(11)V99 COMP-3.
           05  STATUS            PIC X(2).
