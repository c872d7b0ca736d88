"""The Certified Products List: what is on it, with which status, in whatever case it is written."""

from __future__ import annotations

from smetslab.registry import CertifiedProduct, CertifiedProducts, ProductStatus


def product(version: str, status: ProductStatus = ProductStatus.ACTIVE) -> CertifiedProduct:
    return CertifiedProduct(manufacturer="AB01", model="010A030B", firmware_version=version, status=status)


def test_only_what_is_on_the_list_and_active_may_be_used() -> None:
    products = CertifiedProducts([product("0002012F"), product("00020130", ProductStatus.WITHDRAWN)])
    assert products.fault("ab01", " 010a030B", "0002012f") is None
    assert products.fault("AB01", "010A030B", "00020130") == (
        "firmware 00020130 of model 010A030B of AB01 is withdrawn on the Certified Products List"
    )
    assert products.fault("AB02", "010A030B", "0002012F") == (
        "firmware 0002012F of model 010A030B of AB02 is not on the Certified Products List"
    )
    assert products.status("AB01", "010A030B", "00020130") is ProductStatus.WITHDRAWN
    assert products.status("AB01", "010A030C", "0002012F") is None


def test_the_later_of_two_entries_holds() -> None:
    products = CertifiedProducts([product("1"), product("1", ProductStatus.EXPIRED)])
    assert products.status("AB01", "010A030B", "1") is ProductStatus.EXPIRED
