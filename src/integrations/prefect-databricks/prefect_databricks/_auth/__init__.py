"""How requests say who sends them."""
