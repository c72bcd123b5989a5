"""What configs bind and projects derive from. No other room imports it."""
