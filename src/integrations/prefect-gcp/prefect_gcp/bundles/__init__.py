"""Steps that carry flows through Cloud Storage to the infrastructure that runs them."""
