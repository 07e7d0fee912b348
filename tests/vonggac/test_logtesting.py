"""The contract of the log is worth something: names are clear, and a kill is not an error that a task may catch."""

from vonggac.logtesting import LOG_CONTRACT, Killed


def test_each_case_has_a_name_and_says_what_it_asks() -> None:
    names = [case.__name__ for case in LOG_CONTRACT]
    assert len(set(names)) == len(names) >= 9
    assert all(case.__doc__ for case in LOG_CONTRACT)


def test_a_kill_passes_every_except_exception() -> None:
    assert not issubclass(Killed, Exception)
