"""Commands that measure what README and docs claim. Each prints machine, commit and seeds beside its figures."""
