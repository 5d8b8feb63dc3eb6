"""The ledger: what happened. Events, the decisions that make them, and the log that keeps them."""
