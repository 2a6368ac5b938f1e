"""Sources of photos of people: folders, lists, archives and LFW."""
