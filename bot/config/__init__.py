"""tocsin.yml: parsed once into frozen settings, every mistake at once."""
