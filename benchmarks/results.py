"""benchmarks/RESULTS.md, one `## ` section at a time: each benchmark rewrites only its own."""

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(heading: str, lines: list[str]) -> None:
    """Put `lines` under `## heading`, in the place it has or else at the end."""
    section = "\n".join([f"## {heading}", "", *lines]) + "\n"
    print(section)
    title, *sections = re.split(r"^(?=## )", RESULTS.read_text(encoding="utf-8"), flags=re.M)
    of_heading = [n for n, old in enumerate(sections) if old.startswith(f"## {heading}\n")]
    for place in of_heading or [len(sections)]:
        sections[place : place + 1] = [section]
    text = "\n".join(part.strip("\n") + "\n" for part in [title, *sections])
    RESULTS.write_text(text, encoding="utf-8")


def rows_of(heading: str) -> list[str]:
    """The rows of tables under `## heading`, without heads; none where there is no such section."""
    text = RESULTS.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    lines = found[1].splitlines() if found else []
    rules = {place for place, line in enumerate(lines) if line.startswith("|--")}
    heads = rules | {place - 1 for place in rules}
    return [line for n, line in enumerate(lines) if line.startswith("|") and n not in heads]
