"""Steps that carry flows through Blob Storage to the infrastructure that runs them."""
