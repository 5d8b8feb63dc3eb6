-- A commit's plans are seen to by the session that appends (ledger/connection.py), once, and no longer by each call.

ALTER FUNCTION ledger.append(jsonb) RESET enable_seqscan RESET enable_hashjoin RESET enable_mergejoin RESET jit;
