"""What people see of predictions, beside the arrays."""
