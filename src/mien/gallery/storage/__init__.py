"""The SQLite file of a gallery: schema, transactions, rows, encryption."""
