"""The ledger: the hash tree over each log partition, its checkpoints, and the formats that everything verifies by."""
