"""How the next film is chosen: one file per policy, one page of shared acquisition and optimiser."""
