"""Finds the commit of the user's own code, which is stored with each accepted run."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Where CI services give the commit that they build, for a rootdir without git.
_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION", "GIT_COMMIT")

_NAME = re.compile("[A-Za-z0-9._-]+")  #: What a commit may be named; anything else in these variables is none.


def commit_of(rootdir: Path) -> str | None:
    """The commit that is checked out in ``rootdir``; None where neither git nor the CI service knows it."""
    try:
        found = subprocess.check_output(
            ["git", "rev-parse", "--verify", "HEAD"], cwd=rootdir, stderr=subprocess.DEVNULL, timeout=10, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return next((os.environ[name] for name in _VARIABLES if _NAME.fullmatch(os.environ.get(name, ""))), None)
    return found.strip()
