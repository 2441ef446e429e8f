"""What the space of a user's own module is made of."""
