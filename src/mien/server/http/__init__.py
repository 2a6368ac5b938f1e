"""What every request passes: connections, limits, security headers, forms, error responses."""
