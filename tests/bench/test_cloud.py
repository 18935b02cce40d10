"""``khhw bench cloud``: a service with hundreds of requests in flight answers all of them."""

import json
from pathlib import Path

import pytest

from khhw.bench.cloud import Running, measure
from khhw.cli import main
from tests.cloud.serving import serving
from tests.cloud.world import build


def test_two_hundred_in_flight_without_an_error(tmp_path: Path) -> None:
    facts = build(tmp_path / "world")
    with serving(tmp_path / "world") as service:
        found = measure(Running(service["url"], facts.tokens["owner"]), flights=(16, 200), seconds=0.5, number=2)
    assert [row["in_flight"] for row in found["reads"]] == [16, 200]
    for row in found["reads"]:
        assert row["errors"] == 0, row["first_error"]
        assert row["requests"] >= 16 and 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
    assert found["changes"]["acquire"]["p50_ms"] > 0


def test_who_answers_wrong_is_seen(tmp_path: Path) -> None:
    build(tmp_path / "world")
    with serving(tmp_path / "world") as service:
        import asyncio

        from khhw.bench.cloud import reads

        found = asyncio.run(reads(Running(service["url"], "wrong"), 2, 0.1))
        assert found["errors"] > 0 and found["first_error"] == "status 401"
    gone = asyncio.run(reads(Running(service["url"], "wrong"), 2, 0.1))
    assert gone["errors"] == 2 and gone["requests"] == 0 and gone["p99_ms"] is None


@pytest.mark.rare  # It builds a machine.
def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "cloud", "--seconds", "1", "--leases", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    assert [row["in_flight"] for row in found["reads"]] == [1, 16, 200]
    assert not any(row["errors"] for row in found["reads"])
