"""Ways out of the process, one module a kind of destination."""
