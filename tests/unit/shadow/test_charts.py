from shadow.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, agreement_chart, latency_chart
from shadow.summary import Moment


def moments(*disagreeing: int, legacy: float = 0.01, modern: float = 0.02) -> list[Moment]:
    return [Moment(1000.0 + number, 1.0, 10, bad, 0, legacy, modern) for number, bad in enumerate(disagreeing)]


def test_without_data_there_is_no_chart() -> None:
    assert agreement_chart([]) is None
    assert latency_chart(moments(0, legacy=0.0)) is None


def test_every_point_is_inside_the_frame() -> None:
    for chart in (agreement_chart(moments(0, 10, 3)), latency_chart(moments(0, 1, 2)), agreement_chart(moments(1))):
        assert chart is not None
        for line in chart.lines:
            for point in line.points.split():
                x, y = map(float, point.split(","))
                assert LEFT <= x <= WIDTH - RIGHT
                assert TOP <= y <= HEIGHT - BOTTOM


def test_less_agreement_is_lower_and_more_time_is_higher() -> None:
    agreement = agreement_chart(moments(0, 5))
    assert agreement is not None
    first, last = (float(point.split(",")[1]) for point in agreement.lines[0].points.split())
    assert last > first
    latency = latency_chart(moments(0))
    assert latency is not None
    assert latency.lines[1].last_y < latency.lines[0].last_y


def test_full_agreement_is_at_the_top_and_the_scale_does_not_exaggerate() -> None:
    chart = agreement_chart(moments(0, 0))
    assert chart is not None
    assert {point.split(",")[1] for point in chart.lines[0].points.split()} == {f"{TOP:.1f}"}
    assert [row.label for row in chart.rows] == ["99 %", "99.25 %", "99.5 %", "99.75 %", "100 %"]


def test_it_says_in_words_what_it_shows() -> None:
    chart = agreement_chart(moments(0, 2, 1))
    assert chart is not None
    assert chart.description == "Agreement over time: lowest 80 %, last 90 %."
