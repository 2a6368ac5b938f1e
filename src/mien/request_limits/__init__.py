"""Limits of requests, the same in `server` and `deploy`: sizes, and requests per second."""

from mien.request_limits.addresses import network_of
from mien.request_limits.limiter import WRONG_BURST, WRONG_PER_SECOND, RateLimiter
from mien.request_limits.sizes import MAX_BODY, MAX_FIELD, MAX_FIELDS, MAX_NAME, MAX_PHOTOS

__all__ = [
    "MAX_BODY",
    "MAX_FIELD",
    "MAX_FIELDS",
    "MAX_NAME",
    "MAX_PHOTOS",
    "WRONG_BURST",
    "WRONG_PER_SECOND",
    "RateLimiter",
    "network_of",
]
