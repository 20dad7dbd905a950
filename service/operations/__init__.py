"""What the record can be asked to do: one verb, one function, one transaction."""
