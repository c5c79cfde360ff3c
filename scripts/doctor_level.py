"""Reads `cellblock doctor --json` from stdin: prints the strongest level that this host can enforce for this user.

Exit status 0 when that is `full`, 1 otherwise.
"""

import json
import sys

levels = json.load(sys.stdin)["levels"]
strongest = next((name for name in ("full", "namespaced") if levels[name]), "none")
print(strongest)
sys.exit(strongest != "full")
