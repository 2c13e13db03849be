"""Parts of the worker of Snowpark Container Services."""
