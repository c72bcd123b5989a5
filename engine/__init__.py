"""The engine: trains, saves, resumes and logs. It knows none of your research by name."""
