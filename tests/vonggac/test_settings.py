"""Settings: defaults, file, environment, command line; whatever is wrong is named with what would be right."""

from pathlib import Path

import pytest

from vonggac.settings import SettingsError, keys, load, shown, twin, units


def test_defaults_need_nothing() -> None:
    settings = load(None, {})
    assert settings.scan.zone == "Asia/Ho_Chi_Minh"
    assert settings.folder.name == "vonggac"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "vonggac.toml"
    file.write_text('data = "/srv/a"\n[scan]\nworkers = 3\nzone = "UTC"\n')
    environ = {"VONGGAC_CONFIG": str(file), "VONGGAC_SCAN__WORKERS": "5"}
    settings = load(None, environ, {"data": "/srv/b"})
    assert (str(settings.folder), settings.scan.workers, settings.scan.zone) == ("/srv/b", 5, "UTC")


def test_lists_and_tables_come_from_the_environment_too() -> None:
    environ = {"VONGGAC_RULES__PACKS": "/a:/b", "VONGGAC_RULES__EXPAND": '{ Administrators = ["root", "admin"] }'}
    rules = load(None, environ).rules
    assert rules.packs == ("/a", "/b")
    assert rules.expand == {"Administrators": ("root", "admin")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[scan]\nworker = 2\n", r"vonggac.toml: key scan.worker: no such setting; known: data, .*scan.workers"),
        ('[scan]\nworkers = "many"\n', r"vonggac.toml: Expected `int`, got `str` - at `\$.scan.workers`"),
        ("[scan]\nworkers = -1\n", r"vonggac.toml: Expected `int` >= 0"),
        ("scan = 3\n", r"vonggac.toml: key scan: no such setting"),
        ("[scan\n", r"vonggac.toml: not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "vonggac.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        load(str(file), {})


def test_a_wrong_variable_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"VONGGAC_SCAN__WORKER: no such setting; known: VONGGAC_DATA, "):
        load(None, {"VONGGAC_SCAN__WORKER": "2"})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere.toml: No such file"):
        load(str(tmp_path / "nowhere.toml"), {})


def test_every_key_is_shown_and_has_a_twin() -> None:
    assert set(shown(load(None, {}))) == set(keys())
    assert twin("scan.zone") == "VONGGAC_SCAN__ZONE"


def test_every_unit_that_is_named_is_known_by_its_key() -> None:
    environ = {f"VONGGAC_{section}__UNIT": "u" for section in ("SYSLOG", "INTAKE", "JOURNALD")}
    environ["VONGGAC_FOLLOW__UNITS"] = '{ "/var/log/a" = "v" }'
    found = units(load(None, environ))
    assert found == {"syslog.unit": "u", "intake.unit": "u", "journald.unit": "u", "follow.units: /var/log/a": "v"}


def test_an_empty_section_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "vonggac.toml"
    file.write_text("[rules]\n# packs = []\n[rules.expand]\n[scan]\n")
    assert load(str(file), {}) == load(None, {})


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_number_without_end_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match=r"log\.keep_hours"):
        load(None, {"VONGGAC_LOG__KEEP_HOURS": value})
