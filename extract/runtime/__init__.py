"""What a harness runs on; copied unchanged into each, so that it needs nothing but torch."""
