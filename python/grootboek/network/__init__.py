"""asyncio: the TLS mesh between replicas."""
