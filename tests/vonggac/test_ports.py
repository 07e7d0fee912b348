"""The ports: every thing on a shelf offers what its port asks."""

import inspect

import pytest

from vonggac import shelf
from vonggac.ports import Head


@pytest.mark.parametrize("name", shelf.names("collectors"))
def test_every_collector_offers_claims_and_open(name: str) -> None:
    module = shelf.collector(name)
    assert list(inspect.signature(module.claims).parameters) == ["head"]
    assert list(inspect.signature(module.open).parameters) == ["source", "options"]


@pytest.mark.parametrize("name", shelf.names("collectors"))
@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 4096, b"\xff" * 100, bytes(range(256)) * 16, b"{" * 70_000, b"[" * 70_000]
)
def test_no_collector_is_sure_of_noise(name: str, data: bytes) -> None:
    assert shelf.collector(name).claims(Head("noise.bin", data)) < 60


@pytest.mark.parametrize("name", shelf.names("detectors"))
def test_every_detector_offers_build(name: str) -> None:
    assert list(inspect.signature(shelf.detector(name).build).parameters) == ["config"]
