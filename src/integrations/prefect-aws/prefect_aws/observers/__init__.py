"""What happens to the ECS tasks of flow runs, heard from EventBridge by way of SQS."""
