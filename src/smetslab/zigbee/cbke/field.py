"""Arithmetic in GF(2^m) with Python integers.

An element is kept spread out: each coefficient of its polynomial has a slot of several bits, so that an
ordinary multiplication of integers adds up products without a carry ever leaving a slot, and the lowest bit
of each slot is the sum modulo 2. Squaring is the same multiplication. Addition is exclusive or.

Spec: SEC 1 2.1.2, 3.1.2; FIPS 186-4 D.1.3 (reduction polynomials)
"""

from __future__ import annotations

from typing import TypeAlias

Element: TypeAlias = int
"""A spread-out field element; the field that made it knows its slots."""


class BinaryField:
    """GF(2^m) modulo x^m + x^a + x^b + x^c + 1."""

    def __init__(self, degree: int, middle: tuple[int, int, int], slot: int) -> None:
        """`middle`: the exponents a > b > c; `slot`: bits for a coefficient, so that 2^slot > m."""
        self.degree = degree
        self.octets = (degree + 7) // 8
        self._slot = slot
        self._group = slot
        """Octets of a spread-out octet: 8 coefficients of `slot` bits."""
        self._table = tuple(self._spread_octet(octet).to_bytes(slot, "little") for octet in range(256))
        self._octet_of = {spread: octet for octet, spread in enumerate(self._table)}
        self._shift = degree * slot
        self._taps = tuple(slot * exponent for exponent in middle)
        self._low = (1 << self._shift) - 1
        self._mask = self._ones(2 * degree)
        self.one: Element = 1
        self.zero: Element = 0

    def _spread_octet(self, octet: int) -> int:
        return sum((octet >> bit & 1) << bit * self._slot for bit in range(8))

    def _ones(self, count: int) -> int:
        return sum(1 << place * self._slot for place in range(count))

    # ---------------------------------------------------------------------------- in and out

    def element(self, value: int) -> Element:
        """The element whose coefficients are the bits of `value`. Raises ValueError beyond the degree."""
        if not 0 <= value < 1 << self.degree:
            raise ValueError(f"not an element of GF(2^{self.degree})")
        octets = value.to_bytes(self.octets, "little")
        return int.from_bytes(b"".join([self._table[octet] for octet in octets]), "little")

    def value(self, element: Element) -> int:
        """The coefficients as the bits of an integer."""
        octets = element.to_bytes(self.octets * self._group, "little")
        group = self._group
        return int.from_bytes(
            bytes(self._octet_of[octets[place : place + group]] for place in range(0, len(octets), group)),
            "little",
        )

    # ---------------------------------------------------------------------------- arithmetic

    def multiply(self, left: Element, right: Element) -> Element:
        product = left * right & self._mask
        return self._reduce(product)

    def square(self, element: Element) -> Element:
        product = element * element & self._mask
        return self._reduce(product)

    def _reduce(self, product: int) -> Element:
        first, second, third = self._taps
        # The middle exponents are small, so what the first round carries over the top the second takes.
        for _ in range(2):
            high = product >> self._shift
            product = (product & self._low) ^ high ^ high << first ^ high << second ^ high << third
        return product

    def square_times(self, element: Element, times: int) -> Element:
        for _ in range(times):
            element = self.square(element)
        return element

    def inverse(self, element: Element) -> Element:
        """1 / element, by Itoh and Tsujii. Raises ZeroDivisionError for zero."""
        if not element:
            raise ZeroDivisionError("zero has no inverse")
        # power = element^(2^count - 1), doubled or stepped along the bits of m - 1.
        power, count = element, 1
        for bit in bin(self.degree - 1)[3:]:
            power = self.multiply(self.square_times(power, count), power)
            count *= 2
            if bit == "1":
                power = self.multiply(self.square(power), element)
                count += 1
        return self.square(power)

    def half_trace(self, element: Element) -> Element:
        """z with z^2 + z = element, where there is one (m is odd)."""
        total = element
        for _ in range((self.degree - 1) // 2):
            total = self.square_times(total, 2) ^ element
        return total

    def root(self, element: Element) -> Element:
        """The square root."""
        return self.square_times(element, self.degree - 1)
