"""The settings of each family, with defaults: plain data without torch, so that planning and listing are instant."""
