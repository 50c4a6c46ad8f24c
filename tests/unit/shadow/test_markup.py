from shadow.markup import Element, Repeated, as_element


def test_a_name_that_comes_again_becomes_a_list() -> None:
    element = Element()
    for value in ("1", "2", "3"):
        element.add("a", value)
    assert element == {"a": ["1", "2", "3"]}
    assert isinstance(element["a"], Repeated)


def test_order_is_of_the_same_children_only() -> None:
    def of(*names: str) -> Element:
        element = Element()
        element.order = names
        return element

    assert of("a", "b").differs_in_order(of("b", "a"))
    assert not of("a", "b").differs_in_order(of("a"))
    assert not of("a").differs_in_order(Element())


def test_a_text_is_an_element_with_only_a_text() -> None:
    assert as_element("1") == {"#text": "1"}
    assert as_element("") == {}
    assert as_element(Element({"@a": "1"})) == {"@a": "1"}
