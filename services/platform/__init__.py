"""The local platform: Apache Kafka, Apicurio Registry and PostgreSQL on this machine, and the exchange's own processes."""
