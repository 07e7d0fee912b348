import resource
import subprocess
import sys
from pathlib import Path

from vonggac.reading import _confine

SCRIPT = str(Path(_confine.__file__))
ASK = (
    "import os, resource as r, sys\n"
    "print([r.getrlimit(x)[0] for x in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE, r.RLIMIT_CORE)], os.getcwd())"
)


def test_limits_are_in_force_in_the_program() -> None:
    command = [sys.executable, "-I", "-S", SCRIPT, str(1 << 30), "7", "-1", "-1", sys.executable, "-I", "-S", "-c", ASK]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == f"[{1 << 30}, 7, 0, 0] /\n"


def test_a_lower_limit_stays() -> None:
    """In a process of its own: a limit that is set never rises again."""
    code = (
        "import resource as r\nfrom vonggac.reading._confine import limit\n"
        "limit(r.RLIMIT_NOFILE, 50)\nlimit(r.RLIMIT_NOFILE, 60)\nprint(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "(50, 50)\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 50
