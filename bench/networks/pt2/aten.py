"""The operators of exported programs as calls of torch's functions and methods.

A program holds operators of ATen: those that modules call or, behind `run_decompositions`, those that they
are made of. Source: `native_functions.yaml` of torch 2.13.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn import functional


class Form(NamedTuple):
    """A function, or a method by its name, and the operator's arguments in the function's order, by their
    names; `constants` are further keywords."""

    target: Callable[..., Any] | str
    arguments: str
    keywords: str = ""
    constants: Mapping[str, Any] = {}


_IN_PLACE = {"inplace": True}
_CONV = "input weight bias stride padding dilation groups"
_HARDTANH = "self min_val max_val"

FORMS: Mapping[str, Form] = {
    **dict.fromkeys(("conv2d.default", "conv2d.padding"), Form(functional.conv2d, _CONV)),
    "convolution.default": Form(functional.conv2d, _CONV),
    "batch_norm.default": Form(
        functional.batch_norm, "input running_mean running_var weight bias training momentum eps"
    ),
    "_native_batch_norm_legit_no_training.default": Form(
        functional.batch_norm,
        "input running_mean running_var weight bias",
        "momentum eps",
    ),
    **dict.fromkeys(
        ("layer_norm.default", "native_layer_norm.default"),
        Form(functional.layer_norm, "input normalized_shape weight bias eps"),
    ),
    "group_norm.default": Form(functional.group_norm, "input num_groups weight bias eps"),
    "native_group_norm.default": Form(functional.group_norm, "input group weight bias eps"),
    "linear.default": Form(functional.linear, "input weight bias"),
    "relu.default": Form(torch.relu, "self"),
    "relu_.default": Form("relu_", "self"),
    "relu6.default": Form(functional.relu6, "self"),
    "relu6_.default": Form(functional.relu6, "self", constants=_IN_PLACE),
    "silu.default": Form(functional.silu, "self"),
    "silu_.default": Form(functional.silu, "self", constants=_IN_PLACE),
    "hardswish.default": Form(functional.hardswish, "self"),
    "hardswish_.default": Form(functional.hardswish, "self", constants=_IN_PLACE),
    "hardsigmoid.default": Form(functional.hardsigmoid, "self"),
    "hardsigmoid_.default": Form(functional.hardsigmoid, "self", constants=_IN_PLACE),
    "hardtanh.default": Form(functional.hardtanh, _HARDTANH),
    "hardtanh_.default": Form(functional.hardtanh, _HARDTANH, constants=_IN_PLACE),
    "leaky_relu.default": Form(functional.leaky_relu, "self negative_slope"),
    "leaky_relu_.default": Form(functional.leaky_relu, "self negative_slope", constants=_IN_PLACE),
    "elu.default": Form(functional.elu, "self alpha"),
    "elu_.default": Form(functional.elu, "self alpha", constants=_IN_PLACE),
    "mish.default": Form(functional.mish, "self"),
    "mish_.default": Form(functional.mish, "self", constants=_IN_PLACE),
    "gelu.default": Form(functional.gelu, "self", "approximate"),
    "sigmoid.default": Form(torch.sigmoid, "self"),
    "sigmoid_.default": Form("sigmoid_", "self"),
    "tanh.default": Form(torch.tanh, "self"),
    "clamp_.default": Form("clamp_", "self min max"),
    "clamp_min.default": Form(torch.clamp, "self min"),
    "softmax.int": Form(torch.softmax, "self dim"),
    "_softmax.default": Form(torch.softmax, "self dim"),
    **dict.fromkeys(("add.Tensor", "add.Scalar"), Form(torch.add, "self other", "alpha")),
    **dict.fromkeys(("add_.Tensor", "add_.Scalar"), Form("add_", "self other", "alpha")),
    **dict.fromkeys(("sub.Tensor", "sub.Scalar"), Form(torch.sub, "self other", "alpha")),
    **dict.fromkeys(("sub_.Tensor", "sub_.Scalar"), Form("sub_", "self other", "alpha")),
    "rsub.Scalar": Form(operator.sub, "other self"),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar"), Form(torch.mul, "self other")),
    **dict.fromkeys(("mul_.Tensor", "mul_.Scalar"), Form("mul_", "self other")),
    **dict.fromkeys(("div.Tensor", "div.Scalar"), Form(torch.div, "self other")),
    **dict.fromkeys(("div_.Tensor", "div_.Scalar"), Form("div_", "self other")),
    "neg.default": Form(torch.neg, "self"),
    "cat.default": Form(torch.cat, "tensors dim"),
    "split.Tensor": Form(torch.split, "self split_size dim"),
    "split_with_sizes.default": Form(torch.split, "self split_sizes dim"),
    "chunk.default": Form(torch.chunk, "self chunks dim"),
    "narrow.default": Form(torch.narrow, "self dim start length"),
    **dict.fromkeys(
        ("max_pool2d.default", "max_pool2d_with_indices.default"),
        Form(torch.max_pool2d, "self kernel_size stride padding dilation ceil_mode"),
    ),
    "avg_pool2d.default": Form(
        functional.avg_pool2d,
        "self kernel_size stride padding ceil_mode count_include_pad divisor_override",
    ),
    **dict.fromkeys(
        ("adaptive_avg_pool2d.default", "_adaptive_avg_pool2d.default"),
        Form(functional.adaptive_avg_pool2d, "self output_size"),
    ),
    "adaptive_max_pool2d.default": Form(functional.adaptive_max_pool2d, "self output_size"),
    "pad.default": Form(functional.pad, "self pad mode value"),
    "constant_pad_nd.default": Form(functional.pad, "self pad", "value"),
    "mean.dim": Form(torch.mean, "self dim keepdim"),
    "mean.default": Form(torch.mean, "self"),
    "channel_shuffle.default": Form(torch.channel_shuffle, "self groups"),
    "permute.default": Form(torch.permute, "self dims"),
    "transpose.int": Form(torch.transpose, "self dim0 dim1"),
    "flatten.using_ints": Form(torch.flatten, "self start_dim end_dim"),
    "unflatten.int": Form(torch.unflatten, "self dim sizes"),
    **dict.fromkeys(("view.default", "_unsafe_view.default"), Form(torch.reshape, "self size")),
    "reshape.default": Form(torch.reshape, "self shape"),
    **dict.fromkeys(("squeeze.dim", "squeeze.dims"), Form(torch.squeeze, "self dim")),
    "unsqueeze.default": Form(torch.unsqueeze, "self dim"),
    "expand.default": Form("expand", "self size"),
    "contiguous.default": Form("contiguous", "self"),
    "clone.default": Form("clone", "self"),
    "sym_size.int": Form("size", "self dim"),
}
"""By the name of an operator and its overload. Of an operator that gives several tensors beside the one that
networks read, such as statistics, the function gives that one."""

PASSED = (
    "alias.default",
    "detach.default",
    "detach_.default",
    "dropout.default",
    "dropout_.default",
    "feature_dropout.default",
    "lift_fresh_copy.default",
)
"""Operators that hand their first argument on, dropout in eval mode."""

NUMBERS: Mapping[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "mod", "neg")
}
"""What programs compute of sizes."""
