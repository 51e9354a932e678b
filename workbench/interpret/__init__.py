"""What a network looked at, and whether that explanation can be trusted."""
