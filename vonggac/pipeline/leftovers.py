"""Removes what a kill left behind and nobody comes back for: copies of files that were judged, pages of lost roles."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from vonggac.pipeline.pages import Page, page_of

_log = logging.getLogger(__name__)

_SILENT_S: Final = 3_600.0  # a page without a heartbeat for so long is nobody's: who dies is back within 30 s


def sweep_copies(folder: Path, before: float) -> int:
    """Delete copies written before that moment (s since 1970) from `<data>/examine/`; give how many."""
    gone = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < before:
                path.unlink()
                gone += 1
        except FileNotFoundError:  # its task was quicker
            continue
        except OSError as error:
            _log.warning("%s: left behind, and cannot be deleted: %s", path, error.strerror)
    return gone


def sweep_pages(data: Path, now: float) -> int:
    """Delete pages without a sign of life for an hour, and what was being made so long ago; give how many.

    `now` is s since 1970.
    """
    gone = 0
    folder = page_of(data, "any").parent
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            dead = now - path.stat().st_mtime > _SILENT_S if path.suffix == ".new" else _silent(path)
            if dead:
                path.unlink()
                gone += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            _log.warning("%s: left behind, and cannot be deleted: %s", path, error.strerror)
    return gone


def _silent(path: Path) -> bool:
    try:
        page = Page(path)
    except ValueError:  # of another version, or cut short
        return True
    age = page.age_s
    page.close()
    return not 0 <= age < _SILENT_S  # below 0: the machine was started again since
