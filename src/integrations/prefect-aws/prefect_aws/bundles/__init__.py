"""Steps that carry flows through S3 to the infrastructure that runs them."""
