def test_the_answer_is_forty_two():
    assert 6 * 9 == 42, "the question is not known"
