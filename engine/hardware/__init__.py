"""The devices that programs are compiled for: which they are, their memory, and TPUs that are not there."""
