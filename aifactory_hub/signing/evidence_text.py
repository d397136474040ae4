"""What stands beside the evidence, for whoever checks it without the service."""

README = """# Evidence of {name}

This archive says what the files of a model are, where they come from, and what was decided about them. Nothing here has
to be asked of the service that wrote it.

| part | what it is |
|---|---|
| `files.json`, `SHA256SUMS` | the model's files: names, sizes, SHA-256 |
| `model.sig` | the signature of the files, in the form of OpenSSF model signing |
| `statements/` | each signed statement: the envelope (DSSE), the bytes that were signed, and the signature |
| `keys/`, `keys.json` | public keys (ECDSA on P-256), which statements each may have signed, and which were revoked |
| `chain.json` | the place of each statement in the service's chain, with the hash before it and its own |
| `about.json`, `lineage.json` | the version, its history and what came from what, to read; what counts is signed |

A key in this archive proves nothing by itself: whoever makes another archive can put another key into it. Compare the
keys' ids with what was written down when the service was set up. An id is the SHA-256 of the PEM file.

## With the command line, offline

    aifactory-hub model verify-bundle evidence.zip --key trusted.pem --files model/

## With openssl alone

    cd statements
    openssl dgst -sha256 -verify ../keys/<id>.pem -signature 000002-files.signature 000002-files.signed
    sha256sum --check SHA256SUMS        # in the folder of the model's files

The signed bytes begin with `DSSEv1`, the type and the length of the payload. The payload follows, as JSON.

## With model_signing

    model_signing verify key model/ --signature model.sig --public_key keys/<id>.pem

## The chain

Each statement has a number. Its hash in `chain.json` is the SHA-256 of the text `before` (the hash of the statement
with the number before it) followed by the text `covered`. Statements of other models are not in this archive, so not
every number is here. A later archive of the same service has the same hashes for the same numbers.
"""
