"""The template beside plain PyTorch and Lightning, on the CPU: same models, data and settings, in turn."""
