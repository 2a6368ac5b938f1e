"""Model weights: cards, the store on this machine, and downloads."""
