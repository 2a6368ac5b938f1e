"""1:N identification of held-out photos, and two recognizers compared."""
