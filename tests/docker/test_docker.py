"""The container files, as far as a machine without Docker can hold them: linters, rights, what the image is made of."""

import contextlib
import fnmatch
import http.server
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vonggac import __version__, settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker" / "compose.yml"
TOOLS = Path(sys.executable).parent
#: the instructions, continuation lines joined, comments out
LINES = re.sub(r"\s*\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text("utf-8"))).splitlines()


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def read_only(volume: Any) -> bool:
    return not isinstance(volume, str) and volume.get("read_only", False)


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """Serve /readyz with a status; gives the address."""

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def service() -> Any:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["vonggac"]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([str(TOOLS / "hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_follows_its_schema() -> None:
    command = [str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_runs_as_a_user_by_number_and_fetches_nothing_by_itself() -> None:
    assert instructions("USER") == ["10480:10480"]
    assert instructions("ENTRYPOINT") == ['["vonggac"]']
    assert not instructions("ADD")
    assert "curl" not in " ".join(LINES)
    assert all(
        "--no-cache-dir" in part for line in LINES for part in line.split("&&") if " install " in part and "pip" in part
    )


def test_dependencies_come_only_from_the_lock() -> None:
    (locked,) = [part for line in LINES for part in line.split("&&") if "-r requirements/run.txt" in part]
    assert "--require-hashes" in locked
    assert "--only-binary :all:" in locked
    (ours,) = [part for line in LINES for part in line.split("&&") if ".whl" in part]
    assert "--no-index --no-deps" in ours


def test_the_version_is_ours(service: Any) -> None:
    assert f'org.opencontainers.image.version="{__version__}"' in " ".join(LINES)
    assert service["image"] == f"vonggac:{__version__}"


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = [name for line in instructions("COPY") if "--from" not in line for name in line.split()[:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in allowed), f"{name}: .dockerignore leaves it out"


def test_the_service_has_no_rights(service: Any) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == instructions("USER")[0]
    assert "privileged" not in service
    assert "network_mode" not in service
    assert "cap_add" not in service


def test_nobody_else_reaches_it_unless_that_is_asked_for(service: Any) -> None:
    assert service["ports"] == [f"${{LISTEN:-127.0.0.1}}:5514:5514/{kind}" for kind in ("udp", "tcp")]


def test_the_service_writes_only_to_its_volume_its_inbox_and_a_bounded_tmpfs(service: Any) -> None:
    writable = [one if isinstance(one, str) else one["target"] for one in service["volumes"] if not read_only(one)]
    assert writable == ["data:/var/lib/vonggac", "/var/lib/vonggac/inbox"]
    assert all("size=" in one and "nosuid" in one for one in service["tmpfs"])
    assert service["mem_limit"] == service["memswap_limit"]


def test_the_service_runs_has_its_time_to_stop_and_is_watched(service: Any) -> None:
    assert service["command"] == ["run"]
    assert instructions("CMD") == ['["run"]']
    assert service["stop_grace_period"] == "15s"
    assert service["restart"] == "unless-stopped"
    assert settings.load(None, service["environment"] | {"VONGGAC_FOLLOW__PATHS": ""}).syslog.listen == "0.0.0.0:5514"


@pytest.mark.parametrize(("status", "how"), [(200, 0), (503, 1)])
def test_the_health_check_asks_whether_the_service_is_ready(service: Any, status: int, how: int) -> None:
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    with answering(status) as address:
        program = command[-1].replace("127.0.0.1:8480", address)
        done = subprocess.run([sys.executable, *command[1:-1], program], capture_output=True, check=False)
    assert done.returncode == how


def test_the_wheel_of_the_image_holds_what_is_read_at_run_time(tmp_path: Path) -> None:
    """As the build stage makes it: hatchling from the lock, no network."""
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(built, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("vonggac-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "vonggac/locale/vi/LC_MESSAGES/vonggac.mo" in names
    assert "vonggac/py.typed" in names
    rules = {str(path.relative_to(ROOT)) for path in (ROOT / "rules").rglob("*.y*") if path.suffix in (".yml", ".yar")}
    assert rules
    assert rules <= names
    assert not [name for name in names if name.startswith("tests/")]
