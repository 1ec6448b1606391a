"""What the command line says of an error."""


def check_error(result, code, *words):
    """One line on stderr, nothing on stdout, and this exit code."""
    got, out, err = result
    assert got == code
    assert out == ""
    assert err.startswith("pearlite: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
