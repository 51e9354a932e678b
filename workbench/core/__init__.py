"""What every floor stands on: errors, files, caches, cards, devices, provenance."""
