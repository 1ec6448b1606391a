"""Plain solvers of the same discretization that pearlite is measured against."""
