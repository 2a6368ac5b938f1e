"""Rate limits per client: a token bucket per key or address, for `server` and `deploy`."""

from mien.rate_limits.addresses import network_of
from mien.rate_limits.limiter import WRONG_BURST, WRONG_PER_SECOND, RateLimiter

__all__ = ["WRONG_BURST", "WRONG_PER_SECOND", "RateLimiter", "network_of"]
