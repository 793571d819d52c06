"""What Slack sends: commands, buttons, views, messages."""
