"""Small, obvious implementations that the tests compare pearlite with."""
