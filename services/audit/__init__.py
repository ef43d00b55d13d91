"""What auditors run against the exchange: evidence, fsck, verify-log, replay, archives."""
