"""What HTTP brings: runs, health, the API."""
