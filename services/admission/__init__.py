"""Admission: the one door to every log. Verifies, authorises, numbers, routes and redacts in one Kafka transaction (design section 6)."""
