"""What counts as a difference over seeds, and how figures are written."""

from fairseq_genext.evaluation import seeds

NO_BREAK = "\N{NO-BREAK SPACE}"


def test_signs_are_those_of_students_t():
    # 95 % of Student's t with two degrees of freedom lie within 4.303.
    assert seeds.sign_of_mean([0.1, 0.2, 0.3]) == 0  # t = 3.46
    assert seeds.sign_of_mean([0.15, 0.2, 0.25]) == 1  # t = 6.93
    assert seeds.sign_of_mean([-0.2]) == -1
    assert seeds.sign_of_mean([-0.2], [0.1, 0.1]) == -1  # one seed: 0.141 is the error of both
    assert seeds.sign_of_mean([-0.1], [0.1, 0.1]) == 0
    assert seeds.sign_of_mean([-0.1], [0.1, None]) == -1
    assert seeds.sign_of_mean([0.15, 0.2, 0.25], [9, 9]) == 1
    assert seeds.sign_of_difference([1.2], [1], [0.1, 0.1]) == 1
    assert seeds.sign_of_difference([1.1], [1], [0.1, 0.1]) == 0
    # Welch's t = 3.67 with 4 degrees of freedom, beyond 2.776; then 2.45, within.
    assert seeds.sign_of_difference([1, 2, 3], [4, 5, 6]) == -1
    assert seeds.sign_of_difference([1, 2, 3], [3, 4, 5]) == 0
    assert seeds.sign_of_difference([1, 1], [1, 1]) == 0
    assert seeds.sign_of_difference([2, 2], [1, 1]) == 1


def test_figures_as_text():
    assert seeds.spread([1.0, 2.0, 3.0], 1) == f"2.0 ±{NO_BREAK}1.0"
    assert seeds.spread([-0.25], signed=True) == "−0.250"
    assert seeds.spread([12345, 12345], 0) == "12,345"  # nothing varies
    assert seeds.spread([0.5], interval=0.01) == f"0.500 ±{NO_BREAK}0.010"
    assert seeds.spread([]) == "–"
