"""Built datasets, as training and prediction read them."""
