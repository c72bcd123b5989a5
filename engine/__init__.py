"""The engine: trains, saves, continues and logs. It knows none of your research by name."""
