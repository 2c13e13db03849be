"""Keep values out of the connector's own logs: at DEBUG it logs statements with the values of their parameters."""

import logging

_LOGGERS = ("snowflake.connector.connection", "snowflake.connector.cursor")
_TELLING = ("parameters: ", "parameter: ", "running query [", "query: [", "_cancel_query ", "canceled. ", "{")


class _Guard(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG or not record.getMessage().startswith(_TELLING)


_guard = _Guard()


def guard_sdk_logs() -> None:
    """Drop the records that tell values. It can be called any number of times."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_guard)
