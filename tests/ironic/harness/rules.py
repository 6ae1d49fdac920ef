"""What shall go wrong with which node, as tests say it to the agents and to the BMCs."""

import threading


class Rules:
    """A list of rules `{"node", "what", "times", "seconds"}`.

    `node` is a node's UUID, its name, its name after a "~" (metal3 names nodes NAMESPACE~NAME), or "*" for all.
    `times` counts how often the rule strikes (default 1; negative: until the rules are cleared).

    Agents know these `what`: `inspect`, `clean`, `deploy`, `service` (the next long command of that phase fails), the
    name of a step or command (`write_image`, `erase_devices_metadata`, ...), `silent` (never calls back; standing),
    `slow-boot` and `slow-step` (take `seconds` more; standing).
    """

    STANDING = ("silent", "slow-boot", "slow-step", "slow", "fail", "unauthorized")

    def __init__(self):
        self._rules: list[dict] = []
        self._lock = threading.Lock()

    def add(self, rule: dict) -> None:
        """Adds one rule. A standing one holds until it is cleared; adding it with `times` 0 ends it."""
        entry = {"node": str(rule["node"]), "what": str(rule["what"]), "seconds": float(rule.get("seconds", 0))}
        entry["times"] = int(rule.get("times", -1 if entry["what"] in self.STANDING else 1))
        with self._lock:
            self._rules = [r for r in self._rules if (r["node"], r["what"]) != (entry["node"], entry["what"])]
            if entry["times"] != 0:
                self._rules.append(entry)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, what: str, *names: str | None) -> bool:
        """Whether `what` strikes the node of these names now; uses up one time of the rule."""
        with self._lock:
            rule = self._find(what, names)
            if rule and rule["times"] > 0:
                rule["times"] -= 1
                if rule["times"] == 0:
                    self._rules.remove(rule)
            return rule is not None

    def holds(self, what: str, *names: str | None) -> bool:
        """Whether there is such a rule, without using it up."""
        with self._lock:
            return self._find(what, names) is not None

    def seconds(self, what: str, *names: str | None) -> float:
        with self._lock:
            rule = self._find(what, names)
            return rule["seconds"] if rule else 0.0

    def dump(self) -> list[dict]:
        with self._lock:
            return [dict(rule) for rule in self._rules]

    def _find(self, what: str, names: tuple) -> dict | None:
        wanted = {"*", *filter(None, names), *(name.rpartition("~")[2] for name in names if name)}
        return next((rule for rule in self._rules if rule["what"] == what and rule["node"] in wanted), None)
