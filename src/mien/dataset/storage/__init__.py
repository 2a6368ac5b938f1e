"""Files of a dataset: manifest, arrays, card, decisions and the ledger of finished work."""
