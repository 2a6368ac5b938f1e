"""Where photos of people come from: folders, lists, archives and LFW."""
