"""A dataset on disk: manifest, arrays, card, decisions and the ledger of finished work."""
