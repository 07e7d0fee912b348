"""The contract of the store is worth something: names are clear, and a kill is not an error that a store may catch."""

from vonggac.storetesting import STORE_CONTRACT, Killed, batch_of, upto


def test_each_case_has_a_name_and_says_what_it_asks() -> None:
    names = [case.__name__ for case in STORE_CONTRACT]
    assert len(set(names)) == len(names) >= 9
    assert all(case.__doc__ for case in STORE_CONTRACT)


def test_a_kill_passes_every_except_exception() -> None:
    assert not issubclass(Killed, Exception)


def test_a_batch_says_where_it_ends() -> None:
    batch = batch_of({}, {"event": {"id": "mine"}}, first=5)
    assert upto(batch) == {batch.part: 7}
    assert batch.records == [b'{"event":{"id":"e5"}}', b'{"event":{"id":"mine"}}']
