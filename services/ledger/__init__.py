"""The ledger: accounts, postings and transfers with double entry, over REST."""
