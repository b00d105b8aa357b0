"""A network cut in two: a trunk that stays as it is, whose outputs can be kept, and a tail that may learn."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["split"]

SHARE = 1 / 3  # of a network's work, at its end, that learns: the last stage of most
SHORTER = 0.75  # as long may the tail be where less has to be kept then
SAME = 1e-3  # of the largest feature: what the two parts together may differ by from the whole


def split(network: nn.Module, x: Tensor, share: float = SHARE) -> tuple[nn.Module, nn.Module]:
    """Return trunk and tail of a network, which share its parameters; x (b, 3, H, W) are some images, b > 1.

    The tail is about the longest end of it with at most `share` of its multiplications. A network that cannot be traced
    is all tail. The network should be in evaluation mode, as the two parts will stay.
    """
    try:
        with torch.no_grad():
            whole = network(x)
            traced = _traced(network)
            work = _Work(traced)
            work.run(x)
            at = _chosen(traced.graph, work, share)
            if at is not None:
                trunk, tail = _part(traced, at, first=True), _part(traced, at, first=False)
                if bool((tail(trunk(x)) - whole).abs().max() <= SAME * whole.abs().max()):
                    return trunk, tail
    except Exception:  # tracing fails in many ways, and the whole network can learn, too
        pass
    return nn.Identity(), network


class _Work(fx.Interpreter):
    """Runs a network, counts the multiplications of every node, and measures what comes out of it."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.done: dict[fx.Node, int] = {}
        self.size: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> object:
        with FlopCounterMode(display=False) as counter:
            found: object = super().run_node(n)
        self.done[n] = counter.get_total_flops()
        self.size[n] = found.numel() if isinstance(found, Tensor) else 0
        return found


def _traced(network: nn.Module) -> fx.GraphModule:
    """Trace a network; its optional arguments are as they are by default."""
    given = list(inspect.signature(network.forward).parameters.values())[1:]
    return fx.symbolic_trace(network, {one.name: one.default for one in given if one.default is not one.empty})


def _chosen(graph: fx.Graph, work: _Work, share: float) -> fx.Node | None:
    """Return the node to cut after: one of the first with at most a share of the work after it, of the least output."""
    left = whole = sum(work.done.values())
    passed, found = set(_narrow(graph)), list[fx.Node]()
    for node in graph.nodes:
        left -= work.done.get(node, 0)
        if node in passed and left <= share * whole and (not found or left >= SHORTER * share * whole):
            found.append(node)
    return min(found, key=lambda node: work.size[node], default=None)


def _narrow(graph: fx.Graph) -> Iterator[fx.Node]:
    """Yield the nodes after which nothing is used but their own output, and parameters."""
    graph.eliminate_dead_code()
    place = {node: at for at, node in enumerate(graph.nodes)}
    needed = -1  # the last place where something of before is used
    for at, node in enumerate(graph.nodes):
        if node.op in ("get_attr", "output"):
            continue
        if node.op != "placeholder" and needed <= at:
            yield node
        needed = max([needed, *(place[user] for user in node.users)])


def _part(traced: fx.GraphModule, at: fx.Node, *, first: bool) -> fx.GraphModule:
    """Return what comes up to a node, or what comes after it."""
    part, copies, after = fx.Graph(), dict[fx.Node, fx.Node](), False
    for node in traced.graph.nodes:
        if first or after or node.op == "get_attr":
            if node.op == "output":
                part.output(copies[node.args[0]])
                break
            copies[node] = part.node_copy(node, lambda one: copies[one])
        if node is at:
            after = True
            if first:
                part.output(copies[node])
                break
            copies[node] = part.placeholder("x")
    found = fx.GraphModule(traced, part)
    found.graph.eliminate_dead_code()
    found.recompile()
    found.delete_all_unused_submodules()
    return found.eval()
