"""The devices that programs are compiled for: which they are, how much memory they have, TPUs not at hand."""
