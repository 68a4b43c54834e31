"""What a command takes: options that several share, their completion, a model that is given."""
