"""Statistical models of the latent property: `base.py` heads the family, `film_gp.py` is the default."""
