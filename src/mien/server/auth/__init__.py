"""Authentication and authorization: API keys, roles, web sessions, audit trail."""
