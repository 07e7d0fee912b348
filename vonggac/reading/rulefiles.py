"""The rule files of a pack, for every detector: in a fixed order, bounded, and what is left out is named."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from vonggac.ports import Refused
from vonggac.reading.source import display, kind_of

SIGMA: Final = (".yml", ".yaml")
YARA: Final = (".yar", ".yara")
FILE_LIMIT: Final = 100_000  # rule files a pack


def rule_files(root: Path, suffixes: Collection[str]) -> Iterator[Path | Refused]:
    """Yield the rule files below a folder, a folder's own first, sorted; or the one file that `root` is.

    `suffixes` are lower case, with the dot. Hidden names are no rules. A link or device with a rule's name, a folder
    that cannot be read, and what comes after FILE_LIMIT files is a Refused: no rule is silent.
    """
    if root.is_file():
        if root.suffix.lower() in suffixes:
            yield root
        return
    count = 0
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        below = []
        try:
            found = [(one, one.lstat().st_mode) for one in sorted(folder.iterdir()) if not one.name.startswith(".")]
        except OSError as error:
            yield Refused(display(str(folder)), 1, f"cannot be read: {error.strerror or error}")
            continue
        for one, mode in found:
            if stat.S_ISDIR(mode):
                below.append(one)
            elif one.suffix.lower() not in suffixes:
                continue
            elif not stat.S_ISREG(mode):
                yield Refused(display(str(one)), 1, f"is a {kind_of(mode)}, not a file: not followed")
            elif count == FILE_LIMIT:
                yield Refused(
                    display(str(one)), 1, f"it and what follows are not read: a pack has up to {FILE_LIMIT:,} files"
                )
                return
            else:
                count += 1
                yield one
        waiting.extend(reversed(below))
