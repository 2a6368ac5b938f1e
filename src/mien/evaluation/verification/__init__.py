"""1:1 protocols: LFW, pairs of photos, all pairs of a dataset, groups of people."""
