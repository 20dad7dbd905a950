"""A lab to try Filmloop on: a real wafer as the truth, and robots and instruments that speak only HTTP."""
