"""Typing of comparisons: which values may be compared, and the casts that bring both sides to one type."""

from mlops_assets.rules import iso_time
from mlops_assets.rules.names import Scope
from mlops_assets.rules.tree import Node
from mlops_assets.rules.typed import Constant, Typed, apply
from mlops_assets.rules.types import BOOL, DATE, FLOAT, INSTANT, INT, NAIVE, NUMBERS, ORDERED, TEMPORAL, Type

_INT64 = range(-(2**63), 2**63)


def compare(operator: str, left: Typed, right: Typed, scope: Scope, at: tuple[Node, Node]) -> Typed:
    """`left operator right` as one operation on equal types."""
    a, b = align(left, right, scope, at[0], at[1])
    if operator not in {"==", "!="} and a.type.kind not in ORDERED | {"null"}:
        raise scope.error(f"{a.type} has no order", at[0].start, at[1].end, "use == or !=")
    if operator in {"==", "!="}:
        equal = apply("eq_float" if a.type.kind == "float" else "eq", BOOL, a, b)
        return equal if operator == "==" else apply("not", BOOL, equal)
    first, second = (a, b) if operator in {"<", "<="} else (b, a)
    return apply("lt" if operator in {"<", ">"} else "le", BOOL, first, second)


def align(left: Typed, right: Typed, scope: Scope, at: Node, other: Node) -> tuple[Typed, Typed]:
    """Both sides cast to their common type; an error if they have none."""
    left, right = adopt(left, right.type), adopt(right, left.type)
    kinds = {left.type.kind, right.type.kind}
    if kinds <= NUMBERS:
        return _numbers(left, right, scope, other)
    if kinds & TEMPORAL and kinds <= TEMPORAL | {"string"}:
        return _instants(left, right)
    if len(kinds) == 1 and kinds <= {"string", "bool"}:
        return left, right
    message = f"{left.type} and {right.type} cannot be compared"
    raise scope.error(message, other.start, other.end, _hint(left, right))


def adopt(node: Typed, wanted: Type) -> Typed:
    """A column without a type (all null) takes the type it is used as."""
    if node.type.kind != "null":
        return node
    kind = wanted if wanted.kind not in {"null", "struct", "list", "other"} else INT
    return Constant(None, kind)


def _hint(left: Typed, right: Typed) -> str:
    for one, other in ((left, right), (right, left)):
        if isinstance(other, Constant) and isinstance(other.value, str) and one.type.kind in NUMBERS | {"bool"}:
            return f"write {other.value} without quotes" if other.value.strip() else ""
        if isinstance(other, Constant) and one.type.kind == "string" and other.type.kind in NUMBERS | {"bool"}:
            return f"write '{other.value}' in quotes"
    return ""


def to_float(node: Typed) -> Typed:
    """A number in float64."""
    if node.type.kind == "float":
        return node
    if isinstance(node, Constant):
        return Constant(None if node.value is None else float(node.value), FLOAT)
    return apply(f"{node.type.kind}_to_float", FLOAT, node)


def fits(node: Typed, scope: Scope, at: Node) -> Typed:
    """The node; an integer literal beyond 64 bits is an error."""
    if isinstance(node, Constant) and node.type == INT and node.value is not None and node.value not in _INT64:
        raise scope.error(f"{node.value} does not fit 64 bits", at.start, at.end, "write it as a float")
    return node


def _numbers(left: Typed, right: Typed, scope: Scope, at: Node) -> tuple[Typed, Typed]:
    kinds = {left.type.kind, right.type.kind}
    if "float" in kinds:
        return to_float(left), to_float(right)
    if "decimal" not in kinds:
        return left, right
    scale = max(left.type.scale, right.type.scale)
    if max(_whole_digits(left), _whole_digits(right)) + scale > 38:
        raise scope.error("these decimals need more than 38 digits to compare exactly", at.start, at.end)
    return _to_decimal(left, scale), _to_decimal(right, scale)


def _whole_digits(node: Typed) -> int:
    if isinstance(node, Constant):
        return len(str(abs(node.value or 0)))
    return 19 if node.type.kind == "int" else node.type.precision - node.type.scale


def _to_decimal(node: Typed, scale: int) -> Typed:
    return apply("to_decimal", Type("decimal", precision=38, scale=scale), node, options=(scale,))


def _instants(left: Typed, right: Typed) -> tuple[Typed, Typed]:
    if not {left.type.kind, right.type.kind} & {"datetime"}:
        return to_date(left), to_date(right)
    wall = _clock(left) or _clock(right)
    zoned = left.type.zone or right.type.zone
    if wall and not all(side.type.zone or side.type.kind == "string" for side in (left, right)):
        return to_datetime(_wall(left), None), to_datetime(_wall(right), None)
    zone = "UTC" if zoned else None
    return to_datetime(left, zone), to_datetime(right, zone)


def _clock(node: Typed) -> bool:
    return getattr(node, "operation", "") == "current_timestamp"


def _wall(node: Typed) -> Typed:
    return apply("current_wall_time", NAIVE) if _clock(node) else node


def to_date(node: Typed) -> Typed:
    """A date, or a string read as one."""
    if node.type.kind == "date":
        return node
    if isinstance(node, Constant):
        return Constant(None if node.value is None else iso_time.parse_date(node.value), DATE)
    return apply("string_to_date", DATE, node)


def to_datetime(node: Typed, zone: str | None) -> Typed:
    """A datetime in UTC or without a zone; a date is its midnight, a constant microseconds since 1970."""
    wanted = INSTANT if zone else NAIVE
    if isinstance(node, Constant) and node.type.kind == "string":
        return Constant(None if node.value is None else iso_time.parse_microseconds(node.value), wanted)
    if node.type.kind == "string":
        node = apply("string_to_datetime", NAIVE, node)
    if node.type.kind == "date":
        node = apply("date_to_datetime", NAIVE, node)
    if not zone or node.type.zone == "UTC":
        return node
    return apply("to_utc" if node.type.zone else "naive_to_utc", INSTANT, node)
