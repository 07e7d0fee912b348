"""Write docs/parsing.md: what `vonggac parse` makes of each folder of the real test data. Run by `make parsing`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HEAD = """# What is read, by real data

`make parsing` writes this page: `vonggac parse` over each folder of the test data (public captures, logs and rules
that nobody of the project wrote). `file` are inputs that no log collector claims: rule files, expected results,
pictures, notes; they are hashed and given to YARA. "Failed" counts records that could not be read, in whole or in
part; "kept" are those of them that were judged all the same (invalid UTF-8, a key that stands twice). Inputs that
could not be read at all are listed below, each with its reason.

| folder | collector | files | events | failed |
|---|---|---:|---:|---:|
"""


def summary(folder: Path) -> dict[str, Any]:
    """Run the command over one folder and give its account."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "summary.json")
        command = [sys.executable, "-P", "-m", "vonggac", "parse", str(folder)]
        command += ["--output", str(Path(temporary, "events")), "--summary", str(file)]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        counts: dict[str, Any] = json.loads(file.read_text())
        return counts


def main() -> None:
    data = Path(sys.argv[1]).resolve()
    page, failures = HEAD, ""
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        counts = summary(folder)
        for name, files in counts["inputs_by_collector"].items():
            events = counts["by_collector"].get(name, 0)
            failed = counts["failed_by_collector"].get(name, 0)
            page += f"| {folder.name} | {name} | {files:,} | {events:,} | {failed:,} |\n"
        failed, kept = counts["events_failed"], counts["events_kept"]
        page += (
            f"| **{folder.name}** | all | {counts['inputs']:,} | {counts['events']:,} | {failed:,} ({kept:,} kept) |\n"
        )
        for one in counts["inputs_failed"]:
            failures += f"| {one['path'].removeprefix(str(data) + '/')} | {one['reason'].replace('|', '¦')} |\n"
    page += "\n## Inputs that could not be read\n\n| input | reason |\n|---|---|\n" + failures
    if not failures:
        page += "| none | |\n"
    (ROOT / "docs" / "parsing.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
