"""Chunks are of one kind, heaviest first, ever smaller, and messages are made only when they go."""

import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.actors.backlog import LARGEST_CHUNK, LOOK_AHEAD, Backlog
from edgestill.actors.envelopes import SharedRecords
from edgestill.actors.work import Pace, Work, WorkOf
from edgestill.federation import FIRST_NODE_ID, enter_run
from edgestill.federation.messages import ALLOCATION


@pytest.fixture(autouse=True)
def run():
    enter_run(1)


def messages(count: int, *, kinds: int = 1) -> list[Message]:
    return [
        Message(RecordDict({"kind": ConfigRecord({"kind": n % kinds})}), FIRST_NODE_ID + n, "train")
        for n in range(count)
    ]


def kind_of(message: Message) -> int:
    return message.content["kind"]["kind"]


def backlog(source, *, work_of=None, home_of=lambda node: None, pace=None) -> Backlog:
    return Backlog(
        source,
        work_of=work_of or (lambda m: Work(kind=kind_of(m), amount=1.0)),
        home_of=home_of,
        pace=pace or Pace(),
        shared=SharedRecords(),
    )


def cuts(waiting: Backlog, cohorts: int, node: str = "here") -> list[list[Message]]:
    found = []
    while (cut := waiting.cut(node, cohorts)) is not None:
        found.append(cut.messages)
    return found


@pytest.mark.parametrize(("count", "cohorts"), [(1, 2), (7, 2), (40, 2), (500, 4), (5000, 2)])
def test_every_message_goes_out_once_in_chunks_that_never_grow(count, cohorts):
    sent = messages(count)
    chunks = cuts(backlog(sent), cohorts)
    out = [message.metadata.dst_node_id for chunk in chunks for message in chunk]
    assert sorted(out) == [message.metadata.dst_node_id for message in sent]
    sizes = [len(chunk) for chunk in chunks]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) <= LARGEST_CHUNK
    # Every cohort gets something to do, and the last chunk is a small share of all.
    assert len(sizes) >= min(count, cohorts)
    assert sizes[-1] <= max(1, count / (4 * cohorts))


def test_many_messages_fill_lanes_and_few_are_spread():
    assert len(cuts(backlog(messages(5000)), 2)[0]) == LARGEST_CHUNK
    assert len(cuts(backlog(messages(16)), 2)[0]) == 4


def test_a_chunk_is_of_one_kind_and_the_heavier_kind_goes_first():
    pace = Pace()
    pace.learn(0, "here", 10.0, seconds=1.0)
    pace.learn(1, "here", 10.0, seconds=9.0)
    chunks = cuts(backlog(messages(60, kinds=2), pace=pace), 2)
    kinds = [{kind_of(message) for message in chunk} for chunk in chunks]
    assert all(len(kind) == 1 for kind in kinds)
    order = [kind for (kind,) in kinds]
    assert order == sorted(order, reverse=True)
    # Equal time, not equal number: of the cheap kind more go together.
    assert len(chunks[order.index(0)]) > len(chunks[order.index(0) - 1])


def test_within_a_kind_the_largest_goes_first():
    sent = messages(30)
    amounts = {m.metadata.dst_node_id: float((7 * n) % 30 + 1) for n, m in enumerate(sent)}
    waiting = backlog(sent, work_of=lambda m: Work(kind=0, amount=amounts[m.metadata.dst_node_id]))
    out = [amounts[m.metadata.dst_node_id] for chunk in cuts(waiting, 2) for m in chunk]
    assert out == sorted(out, reverse=True)


def test_a_node_gets_the_devices_whose_state_it_holds_and_others_only_at_last():
    homes = ["here", "there", None]
    waiting = backlog(messages(90), home_of=lambda node: homes[(node - FIRST_NODE_ID) % 3])
    seen = [
        [homes[(message.metadata.dst_node_id - FIRST_NODE_ID) % 3] for message in chunk]
        for chunk in cuts(waiting, 2, node="here")
    ]
    flat = [home for chunk in seen for home in chunk]
    assert "there" not in flat[:60]
    assert set(flat[60:]) == {"there"}


def test_a_source_is_asked_only_for_what_is_about_to_go():
    made = 0

    def source():
        nonlocal made
        for message in messages(3 * LOOK_AHEAD):
            made += 1
            yield message

    waiting = backlog(source())
    assert made == LOOK_AHEAD
    gone = 0
    while (cut := waiting.cut("here", 2)) is not None:
        gone += len(cut.messages)
        assert made - gone <= LOOK_AHEAD
    assert gone == 3 * LOOK_AHEAD


def test_what_was_not_sent_can_be_had_back_from_a_source_too():
    waiting = backlog(iter(messages(LOOK_AHEAD + 50)))
    (first,) = [waiting.cut("here", 2)]
    left = list(waiting.drain())
    assert len(first.messages) + len(left) == LOOK_AHEAD + 50
    assert len({message.metadata.message_id for message in left}) == len(left)
    assert not waiting


def test_a_pace_that_was_measured_foretells_by_kind_node_and_amount():
    pace = Pace()
    assert pace.seconds("any", 2.0) == 2.0
    pace.learn("small", "fast", 10.0, seconds=1.0)
    pace.learn("small", "slow", 10.0, seconds=4.0)
    assert pace.seconds("small", 5.0, "fast") == pytest.approx(0.5)
    assert pace.seconds("small", 5.0, "slow") == pytest.approx(2.0)
    # Of a kind or a node that was never measured, the mean of what was.
    assert 0.5 < pace.seconds("small", 5.0, "new") < 2.0
    assert pace.seconds("large", 5.0) == pace.seconds("small", 5.0)


def test_messages_of_the_same_allocation_are_of_the_same_kind():
    def asked(width: float) -> Message:
        record = ConfigRecord(
            {"modalities": ["audio"], "shares": [1.0], "width": width, "epochs": 2, "bits": 8}
        )
        return Message(RecordDict({ALLOCATION: record}), FIRST_NODE_ID, "train")

    work_of = WorkOf(lambda node: 12)
    assert work_of(asked(0.5)) == work_of(asked(0.5))
    assert work_of(asked(0.5)).kind != work_of(asked(1.0)).kind
    assert work_of(asked(0.5)).amount == 12.0
    assert work_of(Message(RecordDict(), FIRST_NODE_ID, "evaluate")).amount == 12.0
