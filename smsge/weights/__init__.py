"""The encoder that ships, and its model card."""
