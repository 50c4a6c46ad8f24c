"""HTTP/1.1 as bytes: what a message says, whether it may pass, and how it is written on the other side."""
