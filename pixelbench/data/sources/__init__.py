"""The tasks: where the images of each come from."""
