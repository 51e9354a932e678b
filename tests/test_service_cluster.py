"""Ray with several nodes: the pieces of one job run on all of them, and a node that is lost costs nothing."""

import os
import sys
import time

import platform_tasks
import pytest

from workbench.service.engines import create
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import new_id

pytestmark = pytest.mark.slow
PATIENCE = 300.0  # seconds, on a machine that does other things too


@pytest.fixture(scope="module")
def nodes():
    """A head that schedules but computes nothing; each test adds the nodes that it needs."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.lost = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes(PATIENCE)
    yield cluster
    cluster.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def platform(nodes, tmp_path_factory):
    engine = create("ray", 2, address=nodes.address)
    limits = Limits(free_bytes=0)
    folder = tmp_path_factory.mktemp("cluster")
    with Platform(folder, engine, limits=limits, kinds=platform_tasks.KINDS) as made:
        yield made
    engine.close()


def finished(platform, owner, job) -> list[list[str]]:
    view = platform.wait(owner, job, PATIENCE)
    assert (view.state, view.attempts) == ("done", 1), view.reason
    return [line.split() for line in platform.result(owner, job).read_text().splitlines()]


def test_pieces_of_one_job_run_on_both_nodes_and_come_back_in_order(platform, nodes):
    owner = new_id("a")
    made = finished(platform, owner, platform.submit(owner, "nodes", []))
    assert [number for number, _ in made] == list("012345")
    assert {node for _, node in made} == {node.node_id for node in nodes.worker_nodes}


def test_pieces_of_a_lost_node_are_made_elsewhere(platform, nodes):
    owner = new_id("a")
    job = platform.submit(owner, "nodes", [], {"seconds": 3.0})
    end = time.monotonic() + PATIENCE
    while platform.job(owner, job).share < 1 / 6 and time.monotonic() < end:  # half of two pieces
        time.sleep(0.05)
    lost = nodes.lost.node_id
    nodes.remove_node(nodes.lost, allow_graceful=False)
    made = finished(platform, owner, job)
    assert [number for number, _ in made] == list("012345")
    assert lost not in {node for _, node in made}
