"""A real `mien serve` is sent damaged photos and damaged forms: the short form of the benchmark."""

from __future__ import annotations

import pytest

from fuzz_uploads import fuzz, small
from serving.mutations import ROUTES, case


@pytest.fixture(scope="module")
def photos(portraits):
    found = [path.read_bytes() for path in sorted(portraits.iterdir())]
    return [made for number, data in enumerate(found) for made in small(data, number)]


@pytest.mark.weights
@pytest.mark.usefixtures("engine")
def test_no_crash_no_hang_no_leak_and_only_documented_answers(tmp_path, photos):
    result = fuzz(photos, range(200), 7, tmp_path)
    assert result["failures"] == []
    statuses = [status for counted in result["statuses"].values() for status in counted]
    assert set(result["statuses"]) == set(ROUTES)
    assert {"200", "422"} <= set(statuses)


def test_a_case_follows_from_its_seed_and_number(photos):
    def made(seed, number):
        return case(seed, number, photos, host="127.0.0.1", handle="people", person="p")

    assert made(3, 40) == made(3, 40)
    assert len({made(3, number).message for number in range(40)}) == 40
    assert made(4, 40).message != made(3, 40).message
