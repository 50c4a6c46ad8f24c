      * XFER: transfer, request. REF is the client's own reference.
       01  XFER-REQ.
           05  TRAN              PIC X(4).
           05  REF               PIC X(36).
           05  FROM              PIC X(10).
           05  TO                PIC X(10).
           05  AMOUNT            PIC S9(9)V99 COMP-3.
