"""Commands that measure what the README and the docs claim. Each prints machine, commit and seeds beside its figures."""
