"""Bytes to events and back: Avro, statement, content commitment, signatures, entries. The only importer of fastavro."""
