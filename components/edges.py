"""Names of what connects two resources."""


def edge_name(source: str, target: str) -> str:
    """Return the logical name of the edge from one resource to another, given their logical names.

    What both begin with is said once, since AWS limits the length of the names that are made from it: ``shop-orders``
    and ``shop-fulfilment`` make ``shop-orders-to-fulfilment``.
    """
    source_words, target_words = source.split("-"), target.split("-")
    shared = 0
    while shared < len(target_words) - 1 and source_words[shared : shared + 1] == target_words[shared : shared + 1]:
        shared += 1
    return f"{source}-to-{'-'.join(target_words[shared:])}"
