"""The Koblitz curves sect163k1 and sect283k1: points, their compressed form, and scalar multiplication.

Multiplication expands the scalar in powers of the Frobenius map tau, which costs three squarings where a
doubling would be. The arithmetic is not constant in time: it is for test keys.

Spec: SEC 2 3.2.1, 3.4.1 (domain parameters); SEC 1 2.3.3, 2.3.4 (octets of points); Hankerson, Menezes,
Vanstone, Guide to Elliptic Curve Cryptography, 3.2.3 and 3.4 (projective coordinates, tau-adic expansion)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smetslab.errors import SecurityError
from smetslab.zigbee.cbke.field import BinaryField, Element


@dataclass(frozen=True, slots=True)
class Point:
    """A finite point, its coordinates as plain integers. The point at infinity is None."""

    x: int
    y: int


_Projective = tuple[Element, Element, Element]
"""x = X / Z, y = Y / Z^2; Z = 0 at infinity."""


class KoblitzCurve:
    """y^2 + xy = x^3 + ax^2 + 1 over GF(2^m), a of 0 or 1."""

    def __init__(
        self, *, name: str, field: BinaryField, a: int, generator: Point, order: int, cofactor: int
    ) -> None:
        self.name = name
        self.field = field
        self.order = order
        self.cofactor = cofactor
        self.generator = generator
        self.point_octets = 1 + field.octets
        self.scalar_octets = (order.bit_length() + 7) // 8
        self._a = a
        self._mu = 1 if a else -1
        self._divisor = self._frobenius_divisor()
        x, y, mu = *self._divisor, self._mu
        self._norm = x * x + mu * x * y + 2 * y * y

    def _frobenius_divisor(self) -> tuple[int, int]:
        """(tau^m - 1) / (tau - 1) as a + b tau: it sends every point of the prime subgroup to infinity."""
        power, total = (1, 0), (0, 0)
        for _ in range(self.field.degree):
            total = (total[0] + power[0], total[1] + power[1])
            power = (-2 * power[1], power[0] + self._mu * power[1])
        return total

    # ---------------------------------------------------------------------------- points and octets

    def contains(self, point: Point) -> bool:
        """Whether the coordinates satisfy the curve's equation."""
        field = self.field
        if max(point.x, point.y) >> field.degree or min(point.x, point.y) < 0:
            return False
        x, y = field.element(point.x), field.element(point.y)
        square = field.square(x)
        left = field.square(y) ^ field.multiply(x, y)
        right = field.multiply(square, x) ^ (square if self._a else 0) ^ field.one
        return left == right

    def in_subgroup(self, point: Point) -> bool:
        """Whether the point is one of the `order` points of the prime subgroup."""
        return self._affine(self._multiply(tuple(self._digits(self.order, 0)), point)) is None

    def compress(self, point: Point) -> bytes:
        """02 or 03, then x: `point_octets` octets. Spec: SEC 1 2.3.3."""
        field = self.field
        sign = 0
        if point.x:
            x = field.element(point.x)
            sign = field.value(field.multiply(field.element(point.y), field.inverse(x))) & 1
        return bytes((0x02 | sign,)) + point.x.to_bytes(field.octets, "big")

    def decompress(self, octets: bytes) -> Point:
        """Raises SecurityError when the octets are no compressed point of the curve. Spec: SEC 1 2.3.4."""
        field = self.field
        value = int.from_bytes(octets[1:], "big")
        if len(octets) != self.point_octets or octets[0] not in {2, 3} or value >> field.degree:
            raise SecurityError("point", f"not a compressed point of {self.name}", spec="SEC 1 2.3.4")
        x = field.element(value)
        if not x:
            return Point(0, 1)
        beta = x ^ (field.one if self._a else 0) ^ field.inverse(field.square(x))
        z = field.half_trace(beta)
        if field.square(z) ^ z != beta:
            raise SecurityError("point", f"no point of {self.name} has this x", spec="SEC 1 2.3.4")
        if z & 1 != octets[0] & 1:
            z ^= field.one
        return Point(value, field.value(field.multiply(x, z)))

    # ---------------------------------------------------------------------------- arithmetic

    def add(self, left: Point | None, right: Point | None) -> Point | None:
        """The sum of two points."""
        if left is None or right is None:
            return right if left is None else left
        return self._affine(self._add_mixed(self._projective(left), right))

    def multiply(self, scalar: int, point: Point) -> Point | None:
        """`scalar` times a point of the prime subgroup."""
        return self._affine(self._multiply(tuple(self._digits(*self._reduced(scalar))), point))

    def double(self, point: Point | None) -> Point | None:
        """Twice a point, in the subgroup or not."""
        return None if point is None else self._affine(self._double(self._projective(point)))

    def _multiply(self, digits: tuple[int, ...], point: Point) -> _Projective:
        field = self.field
        square = field.square
        x, y = field.element(point.x), field.element(point.y)
        plus, minus = (x, y), (x, x ^ y)
        total: _Projective = (field.one, field.zero, field.zero)
        for digit in reversed(digits):
            total = (square(total[0]), square(total[1]), square(total[2]))
            if digit:
                total = self._add_elements(total, *(plus if digit > 0 else minus))
        return total

    def _digits(self, first: int, second: int) -> Iterator[int]:
        """The tau-adic non-adjacent form of first + second tau, lowest digit first."""
        while first or second:
            digit = 0
            if first & 1:
                digit = 2 - (first - 2 * second) % 4
                first -= digit
            yield digit
            half = first // 2
            first, second = second + self._mu * half, -half

    def _reduced(self, scalar: int) -> tuple[int, int]:
        """A short representative of the scalar modulo the divisor, found by rounding the quotient."""
        a, b = self._divisor
        mu, norm = self._mu, self._norm
        scalar %= self.order
        # scalar times the conjugate of the divisor, divided by its norm
        first = _rounded(scalar * (a + mu * b), norm)
        second = _rounded(-scalar * b, norm)
        return (
            scalar - (a * first - 2 * b * second),
            -(a * second + b * first + mu * b * second),
        )

    def _projective(self, point: Point) -> _Projective:
        return self.field.element(point.x), self.field.element(point.y), self.field.one

    def _affine(self, point: _Projective) -> Point | None:
        x, y, z = point
        if not z:
            return None
        field = self.field
        inverse = field.inverse(z)
        return Point(
            field.value(field.multiply(x, inverse)),
            field.value(field.multiply(y, field.square(inverse))),
        )

    def _add_mixed(self, left: _Projective, right: Point) -> _Projective:
        return self._add_elements(left, self.field.element(right.x), self.field.element(right.y))

    def _add_elements(self, left: _Projective, x2: Element, y2: Element) -> _Projective:
        field = self.field
        multiply, square = field.multiply, field.square
        x1, y1, z1 = left
        if not z1:
            return x2, y2, field.one
        squared = square(z1)
        a = multiply(y2, squared) ^ y1
        b = multiply(x2, z1) ^ x1
        if not b:
            return (field.one, field.zero, field.zero) if a else self._double((x2, y2, field.one))
        c = multiply(z1, b)
        z3 = square(c)
        e = multiply(a, c)
        d = multiply(square(b), c ^ squared if self._a else c)
        x3 = square(a) ^ d ^ e
        f = x3 ^ multiply(x2, z3)
        g = multiply(x2 ^ y2, square(z3))
        return x3, multiply(e ^ z3, f) ^ g, z3

    def _double(self, point: _Projective) -> _Projective:
        field = self.field
        multiply, square = field.multiply, field.square
        x1, y1, z1 = point
        squared_x, squared_z = square(x1), square(z1)
        fourth = square(squared_z)
        z3 = multiply(squared_x, squared_z)
        x3 = square(squared_x) ^ fourth
        inner = square(y1) ^ fourth ^ (z3 if self._a else 0)
        return x3, multiply(fourth, z3) ^ multiply(x3, inner), z3


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest integer to a quotient with a positive denominator."""
    return (2 * numerator + denominator) // (2 * denominator)


SECT163K1 = KoblitzCurve(
    name="sect163k1",
    field=BinaryField(163, (7, 6, 3), 8),
    a=1,
    generator=Point(
        0x02FE13C0537BBC11ACAA07D793DE4E6D5E5C94EEE8, 0x0289070FB05D38FF58321F2E800536D538CCDAA3D9
    ),
    order=0x04000000000000000000020108A2E0CC0D99F8A5EF,
    cofactor=2,
)

SECT283K1 = KoblitzCurve(
    name="sect283k1",
    field=BinaryField(283, (12, 7, 5), 9),
    a=0,
    generator=Point(
        0x0503213F78CA44883F1A3B8162F188E553CD265F23C1567A16876913B0C2AC2458492836,
        0x01CCDA380F1C9E318D90F95D07E5426FE87E45C0E8184698E45962364E34116177DD2259,
    ),
    order=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE9AE2ED07577265DFF7F94451E061E163C61,
    cofactor=4,
)
