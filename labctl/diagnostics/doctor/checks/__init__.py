"""The checks: functions from facts to findings, grouped by what they look at."""
