"""Some hundred mutated photos in mutated forms; `scripts/fuzz_uploads.py` sends thousands."""

from __future__ import annotations

import threading

from fuzz_uploads import fuzz
from toy_server import a_service, files, listening, picture


def test_nothing_that_is_sent_breaks_the_server(tmp_path):
    photos = [picture(n, kind=kind) for n in range(2) for kind in ("PNG", "JPEG", "WEBP", "GIF")]
    service = a_service(tmp_path)
    with listening(service) as base:
        service.jobs.close()
        before = threading.active_count()
        found = fuzz(base, photos, 300)
        assert sum(found.values()) == 300
        assert found[200] > 20
        assert threading.active_count() <= before + 40  # the event loop's own pool
        assert not service.inference.waiting
    assert files(b"x")
