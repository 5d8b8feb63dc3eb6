"""The commands of `jobledger`, one noun a file; api/cli.py has the table of them."""
