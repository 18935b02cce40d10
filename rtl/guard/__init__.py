"""Communication domains: tables, egress guard, ingress guard, and the owner's registers."""
