"""Service Bus: what the public module `service_bus` is made of."""
