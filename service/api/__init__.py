"""Thin doors, one noun each: check the shape of a request, call one operation, shape its answer."""
