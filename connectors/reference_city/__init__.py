"""A small case system of a city, a stranger to the exchange: own process, own database, own field names, own rules.

It stands for what a city runs today, in the demo and in tests. It shares no code with the exchange (import-linter).
"""
