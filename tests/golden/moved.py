"""Prints how premiums of the fixed portfolio moved since an earlier commit (`make dislocation`)."""

import json
import os
import subprocess

from tests.conftest import ROOT
from tests.golden.markets import PREMIUMS, dislocation, golden_premiums


def git(*words: str) -> str | None:
    """What git says; None where it cannot, as outside a checkout."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def earlier() -> tuple[str, str] | None:
    """A commit with its golden premiums: that of `SINCE`, or where this branch began, or before."""
    head = git("rev-parse", "HEAD")
    for name in (os.environ.get("SINCE"), "origin/HEAD", "HEAD~1"):
        commit = None if name is None else git("merge-base", "HEAD", name)
        if commit is None or commit == head:
            continue
        found = git("show", f"{commit.strip()}:{PREMIUMS.relative_to(ROOT)}")
        if found is not None:
            return commit.strip()[:9], found
    return None


def main() -> None:
    """Print it by market and plan; nothing to compare with is said as well."""
    base = earlier()
    if base is None:
        print("No earlier commit to compare premiums with.")
        return
    commit, text = base
    then = json.loads(text)
    for market in then:
        told = dislocation(then[market], golden_premiums(market))
        print(f"Premiums of the fixed portfolio of {market} since {commit}:")
        print("\n".join(f"  {line}" for line in told or ["none moved"]))


if __name__ == "__main__":
    main()
