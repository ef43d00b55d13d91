//go:build tools

// Package tools pins the witness of another make that judges ours; see ../test_litewitness.py.
package tools

import _ "filippo.io/torchwood/cmd/litewitness"
