"""What a subclass of a task inherits: settings that it drops are found when it is bound."""
