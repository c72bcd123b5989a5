"""A page of trainings that is kept true while they run."""
