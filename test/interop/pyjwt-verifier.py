"""A service in Python that verifies access tokens with PyJWT and its own key client, as its documentation shows it.

Told the URL of the key set, the issuer, the audience, and optionally `ignore-times` where a test moves the service's
clock. It reads tokens, one a line, and answers each with "ok" or "refused: " and the reason.
"""
import sys

import jwt

url, issuer, audience, *rest = sys.argv[1:]
check_times = rest != ['ignore-times']
options = {'require': ['exp', 'iss', 'aud'], 'verify_exp': check_times, 'verify_iat': check_times, 'verify_nbf': check_times}
keys = jwt.PyJWKClient(url)
print('ready', flush=True)
for line in sys.stdin:
    token = line.strip()
    try:
        key = keys.get_signing_key_from_jwt(token).key
        jwt.decode(token, key, algorithms=['ES256'], issuer=issuer, audience=audience, options=options)
        # PyJWT does not look at typ by itself. The signature, good by now, covers the header.
        if jwt.get_unverified_header(token).get('typ') != 'at+jwt':
            raise jwt.InvalidTokenError('typ')
        print('ok', flush=True)
    except Exception as error:
        print(f'refused: {error!r}', flush=True)
