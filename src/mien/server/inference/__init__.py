"""Photos to faces to JSON: the queue, the recognition backends, face tokens."""
