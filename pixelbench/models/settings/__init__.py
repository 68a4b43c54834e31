"""What can be set in each family, with defaults: plain data without torch, so that planning and listing are instant."""
