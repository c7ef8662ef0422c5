"""Two messages of one row: where the history can be read again, the next edit of the kept one marks the other."""

from bot.service.delivering.seeking import seek_all_copies
from tests.bot.service.delivery.bench import Bench, words_of


async def twice(bench: Bench) -> None:
    """A message that stands twice, because its answer was lost and the history could not be read."""
    bench.workspace.scopes = tuple(scope for scope in bench.workspace.scopes if "history" not in scope)
    bench.say("old")
    bench.workspace.faults.lose_next_answer("chat.postMessage")
    await bench.settle(2)
    assert len(bench.messages()) == 2


async def test_a_copy_is_marked_with_the_next_edit_once_the_history_can_be_read(bench: Bench) -> None:
    may = bench.workspace.scopes
    await twice(bench)
    bench.say("new")
    await bench.settle(2)
    copy, kept = bench.messages()
    assert ("old" in words_of(copy), "new" in words_of(kept)) == (True, True), "the scope is missing yet"
    bench.workspace.scopes = may
    bench.say("newest")
    await bench.settle(2)
    assert "earlier copy" in words_of(copy)
    assert "old" not in words_of(copy)
    assert "newest" in words_of(kept)
    asked = bench.calls("conversations.history")
    bench.say("newest of all")
    await bench.settle(2)
    assert (bench.calls("conversations.history"), len(bench.messages())) == (asked, 2), "it is looked for once"


async def test_what_keeps_the_copies_from_being_found_holds_up_no_edit(bench: Bench) -> None:
    may = bench.workspace.scopes
    await twice(bench)
    bench.workspace.scopes = may
    bench.workspace.faults.fail_next("conversations.history", 503)
    bench.say("new")
    await bench.settle(1)
    copy, kept = bench.messages()
    assert ("old" in words_of(copy), "new" in words_of(kept)) == (True, True)
    bench.say("newest")
    await bench.settle(2)
    assert "earlier copy" in words_of(copy)


async def test_copies_of_messages_that_are_edited_no_more_are_marked_once_the_scope_comes(bench: Bench) -> None:
    may = bench.workspace.scopes
    await twice(bench)
    bench.say("it is over")
    await bench.settle(2)
    asked = bench.calls("conversations.history")
    assert await seek_all_copies(bench.delivery(), bench.now) == 0
    assert bench.calls("conversations.history") == asked + 1, "one call tells that the scope is missing"
    bench.workspace.scopes = may
    bench.workspace.faults.fail_next("conversations.history", 503)
    assert await seek_all_copies(bench.delivery(), bench.now) == 0
    assert await seek_all_copies(bench.delivery(), bench.now) == 1
    await bench.settle(2)
    copy, kept = bench.messages()
    assert "earlier copy" in words_of(copy)
    assert "it is over" in words_of(kept)
    assert "Only this one is kept up to date" in words_of(kept)
    assert await seek_all_copies(bench.delivery(), bench.now) == 0, "it is done once"
