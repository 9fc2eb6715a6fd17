"""存: tenants, scan domains, products, series and the slots their key spaces live under."""
