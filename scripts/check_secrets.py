"""Check that nothing in the tree is a secret or looks like one; ``nox -s lint`` runs it.

Every exclusion below is as narrow as it can be and says why it is there. No detector is switched off.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lines that hold a digest or a text that is signed: high entropy by nature, and no secret.
LINES = (
    r'^ *"(target|http_string|canonical_request|string_to_sign)": "',
    r'^ *"(http_string_sha1|canonical_request_sha256|sign_key|signature)": "[0-9a-f]{40,64}",?$',
    r'^ *"[^"]+\.(py|yaml|typed|md|js|ts|json|go|mod|sum|java|xml)": "[0-9a-f]{64}",?$',
    r"^    --hash=sha256:[0-9a-f]{64}",
    r'^ *"integrity": "sha512-',
)
# Test words, the vendors' sample project, and key and content hash of two published vectors.
WORDS = (
    "EXAMPLEKEYEXAMPLEKEYEXAMPLEKEY00",
    "ANOTHERKEYANOTHERKEYANOTHERKEY00",
    "(Another)?SecretKey",
    "48cc2c48765f481480c7db940d6409d[12]",
    "db8ac1c259eb89d4a131b253bacfca5f319d54f2",
    "BYBYIiF3WUZGlorXmcTEDtNjB40JTibEXAMPLE",
)


def main() -> int:
    """Run the detectors over every file that git tracks; exit status 1 where one finds something."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    excludes = [part for line in LINES for part in ("--exclude-lines", line)]
    excludes += ["--exclude-secrets", f"^({'|'.join(WORDS)})$"]
    command = ["detect-secrets-hook", *excludes, *filter(None, files)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
