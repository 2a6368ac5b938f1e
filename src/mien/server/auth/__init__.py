"""Who asks and what they may do: keys, roles, web sessions, the audit trail."""
