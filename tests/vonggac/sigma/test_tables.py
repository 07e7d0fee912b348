"""The tables agree with each other."""

from __future__ import annotations

from vonggac.event import FIELDS
from vonggac.sigma._tables import ALSO, CATEGORIES, CHANNELS, NAMES, RENAMED, SERVICES


def test_channels_and_providers_are_lower_case_and_known() -> None:
    assert all(name == name.lower() for name in (*SERVICES, *CHANNELS))
    assert set(CHANNELS.values()) <= set(SERVICES)


def test_services_of_categories_and_renames_exist() -> None:
    services = set(SERVICES.values())
    assert {service for service, _ in (*CATEGORIES, *RENAMED)} <= services
    assert set(ALSO) <= services


def test_names_lead_to_fields_that_collectors_fill() -> None:
    assert {path for paths in NAMES.values() for path in paths} <= set(FIELDS)
