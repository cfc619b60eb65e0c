"""Constant folding: the parts of a rule that no row changes are computed once, before an engine sees the rule."""

from mlops_assets.rules import interpreter
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.typed import Apply, Checked, Constant, Typed, apply

_OF_TABLES = {*interpreter.AGGREGATES, "in_table"}


def fold_constants(checked: Checked, context: EvaluationContext) -> Typed:
    """The rule's typed tree for one run: the clock read, operations on constants replaced by their value."""
    return _folded(checked.root, context)


def _folded(node: Typed, context: EvaluationContext) -> Typed:
    if not isinstance(node, Apply):
        return node
    bound = apply(node.operation, node.type, *(_folded(a, context) for a in node.arguments), options=node.options)
    if not isinstance(bound, Apply) or bound.operation in _OF_TABLES:
        return bound
    if not all(isinstance(argument, Constant) for argument in bound.arguments):
        return bound
    return Constant(interpreter.value_of(bound, context), bound.type)
