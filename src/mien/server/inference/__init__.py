"""From photos to JSON: the photo queue, recognition backends, versions and face tokens."""
