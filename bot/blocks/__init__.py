"""What is seen in Slack: state to text and Block Kit."""
