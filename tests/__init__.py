"""Claims about the product, by package and by behaviour."""
