"""Everything that enters from outside."""
