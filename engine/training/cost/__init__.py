"""What a step costs, known from its program: operations, memory, traffic between devices."""
