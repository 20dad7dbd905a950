"""Problems to begin with."""

from typing import Any

TEMPLATES: dict[str, dict[str, Any]] = {
    "ternary": {
        "space": {"elements": ["Fe", "Co", "Ni"]},
        "objectives": [{"property": "hardness", "unit": "GPa", "direction": "maximise"}],
        "film": {"devices": 7, "grading": "free", "span_min": 0.05, "span_max": 0.4},
    },
    "five-elements": {
        "space": {
            "elements": ["Fe", "Co", "Ni", "Cr", "Mn"],
            "bounds": [
                {"element": name, "lower": low, "upper": 0.5}
                for name, low in (("Fe", 0.05), ("Co", 0.0), ("Ni", 0.0), ("Cr", 0.0), ("Mn", 0.0))
            ],
        },
        "objectives": [{"property": "anomalous_hall", "unit": "uohm cm", "direction": "maximise"}],
        "film": {"devices": 13, "grading": "pair", "span_min": 0.05, "span_max": 0.3},
        "initial_films": 4,
    },
    "annealed": {
        "space": {
            "elements": ["Ti", "Zn", "Sn"],
            "process": [{"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 600.0}],
        },
        "objectives": [
            {"property": "conductivity", "unit": "S/cm", "direction": "maximise"},
            {"property": "absorbance", "unit": "1", "direction": "minimise"},
        ],
        "film": {"devices": 9, "grading": "free", "span_max": 0.4},
    },
}
"""By name; the first is what `filmloop campaign template` prints."""
