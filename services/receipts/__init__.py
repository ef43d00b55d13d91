"""The receipts room: for every delivery of every event, which step has a receipt, and which was missing when it was due."""
