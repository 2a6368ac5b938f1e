"""Fixtures of the server's tests."""

from __future__ import annotations

import pytest
from toy_server import toy_client, toy_state


@pytest.fixture
def serving(tmp_path):
    """Return serving(**options): starts a server and returns its client; closed at the end."""
    made = []

    def start(**options):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir(exist_ok=True)
        client = toy_client(toy_state(folder, **options))
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
def state(client):
    """Return the state of the server of `client`."""
    app = client.app
    while not hasattr(app, "state"):
        app = app._app
    return app.state.server
