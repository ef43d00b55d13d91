"""The rooms of the exchange: one folder, one room; rooms talk through topics, never by import."""
