"""What the service does by the clock: schedules, webhooks, retention, jobs of people who left."""
