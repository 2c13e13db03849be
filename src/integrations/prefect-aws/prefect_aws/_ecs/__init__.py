"""What the ECS worker, its observer and the command line share."""
