"""Random jobs on the real cluster while its parts fail: none lost, none doubled, every end right, every log whole."""
