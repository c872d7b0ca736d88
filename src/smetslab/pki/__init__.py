"""Public key infrastructure: certificates and their profiles, path validation, key stores, a test authority.

Everything above asks a `KeyStore` for keys and never reads a key file itself. Must not know messages,
devices or service requests; takes time and chance as arguments.
"""

from smetslab.pki.authority import PARTIES, TEST_DEVICES, Authority, LaboratoryIdentity, Party
from smetslab.pki.certificate import Certificate, CertificateKind, parse_certificate
from smetslab.pki.chain import TrustAnchor, ValidPath, validate_path
from smetslab.pki.files import initialise, laboratory_key, read_authority, user_data_folder
from smetslab.pki.keystore import Entry, KeyRing, KeyStore, Skipped
from smetslab.pki.loaders import load_keystore, load_pem_folder, load_zaz1_keystore
from smetslab.pki.production import CredentialGuard
from smetslab.pki.profile import Finding, check_profile, require_profile

__all__ = [
    "PARTIES",
    "TEST_DEVICES",
    "Authority",
    "Certificate",
    "CertificateKind",
    "CredentialGuard",
    "Entry",
    "Finding",
    "KeyRing",
    "KeyStore",
    "LaboratoryIdentity",
    "Party",
    "Skipped",
    "TrustAnchor",
    "ValidPath",
    "check_profile",
    "initialise",
    "laboratory_key",
    "load_keystore",
    "load_pem_folder",
    "load_zaz1_keystore",
    "parse_certificate",
    "read_authority",
    "require_profile",
    "user_data_folder",
    "validate_path",
]
