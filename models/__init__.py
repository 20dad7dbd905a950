"""The science: arrays in, arrays out, no I/O. `train` and `propose` are its two verbs."""
