"""One module per sub-command of ``ipx``; each exports it as ``command``."""
