"""Workers that run flows on AWS."""

from .ecs_worker import ECSWorker

__all__ = ["ECSWorker"]
