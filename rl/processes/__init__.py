"""Programs that are started beside us and leave nothing behind: children, a Ray of our own, stale compiler locks."""
