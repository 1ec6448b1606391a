# Peers are optional, and pytest would import their modules to look for examples in docstrings.
collect_ignore_glob = ["baselines/*"]
