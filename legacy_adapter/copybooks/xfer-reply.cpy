      * XFER: transfer, reply. BALANCE is the payer's, X'00' unless RC is 00.
       01  XFER-REPLY.
           05  TRAN              PIC X(4).
           05  RC                PIC X(2).
           05  REF               PIC X(36).
           05  BALANCE           PIC S9(11)V99 COMP-3.
