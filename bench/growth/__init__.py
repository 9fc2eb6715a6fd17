"""What growing costs: more codes issued, more codes scanned."""
