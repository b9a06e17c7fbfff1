"""Operators whose result has the shape of what they are given."""

from edgeembed_runtime.bundle.graph.call import Call, Shape, broadcast

_PAIRS = """
Add And BiasGelu BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less
LessOrEqual Max Mean Min Mod Mul Or PRelu Pow QLinearAdd QLinearMul Sub Sum Where Xor
"""
_ALIKE = """
Abs Acos Asin Atan BatchNormalization BitwiseNot Cast Ceil Celu Clip Cos Cosh CumSum
DequantizeLinear Dropout DynamicQuantizeLinear Elu Erf Exp FastGelu Floor Gelu GroupNormalization
HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LayerNormalization
LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not QLinearLeakyRelu
QLinearSigmoid QLinearSoftmax QuantizeLinear QuickGelu RMSNormalization Reciprocal Relu
Round ScatterElements ScatterND Selu Sigmoid Sign SimplifiedLayerNormalization Sin
Sinh SkipLayerNormalization Softmax Softplus Softsign Sqrt Swish
Tan Tanh ThresholdedRelu Trilu
"""
PAIRS, ALIKE = frozenset(_PAIRS.split()), frozenset(_ALIKE.split())
_TRUTHS = "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor"
COMPARISONS = frozenset(_TRUTHS.split())
# Those whose first and fourth input are the quantized ones.
_QUANTIZED_PAIRS = frozenset(("QLinearAdd", "QLinearMul"))
_WHOLE_RESULTS = frozenset(("Dropout",))


def pair_shapes(call: Call) -> list[Shape]:
    """The shape that the inputs are stretched to."""
    if call.node.operator in _QUANTIZED_PAIRS:
        return [broadcast(call, [call.shape(0), call.shape(3)])]
    return [broadcast(call, [value.shape for value in call.inputs if value is not None])]


def alike_shapes(call: Call) -> list[Shape]:
    """The shape of the first input; further results are one number for each row, at most."""
    shape, others = call.shape(0), len(call.node.outputs) - 1
    if call.node.operator in _WHOLE_RESULTS or call.node.operator.startswith("Skip"):
        return [shape] * (others + 1)
    if call.node.operator == "DynamicQuantizeLinear":
        return [shape, (), ()]
    return [shape, *[(*shape[:-1], 1)] * others]
