"""Models that draw candidate compositions."""
