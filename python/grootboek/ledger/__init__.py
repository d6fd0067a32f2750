"""Log, blocks, state, execution, receipts and the module API."""
