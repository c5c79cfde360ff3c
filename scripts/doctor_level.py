"""Reads `cellblock doctor --json` from stdin: prints the strongest level that this host can enforce for this user.

Exit status 0 when that is `full`, 1 otherwise.
"""

import json
import sys

report = json.load(sys.stdin)
print(report["level"])
sys.exit(report["level"] != "full")
