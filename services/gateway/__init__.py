"""The HTTP and Kafka doors: what participants publish through, read their inbox from and ask for status (design section 12)."""
