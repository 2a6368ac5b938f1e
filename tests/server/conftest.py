"""Fixtures of the server's tests."""

from __future__ import annotations

import pytest
from toy_server import a_client, a_service


@pytest.fixture
def serving(tmp_path):
    """Return serving(**options): a client of a new server; all are closed at the end."""
    made = []

    def start(**options):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        client = a_client(a_service(folder, **options))
        client.__enter__()
        made.append(client)
        return client

    yield start
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serving):
    """Return a client of a server with a gallery `people` and a file `toy`; no keys."""
    return serving()


@pytest.fixture
def service(client):
    """Return the service behind `client`."""
    app = client.app
    while not hasattr(app, "state"):
        app = app._app
    return app.state.service
