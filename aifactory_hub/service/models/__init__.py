"""The registry of models: takes versions in, looks whether they are what was registered, moves aliases."""
