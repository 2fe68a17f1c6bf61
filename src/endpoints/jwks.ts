import type { RequestContext } from '../http/context.ts'
import type { Parts } from '../parts.ts'
import { publicKeySet } from '../tokens/keyring.ts'

/** GET /.well-known/jwks.json: the public keys. RFC 7517 section 5. */
export function jwksEndpoint({ keyRing }: Pick<Parts, 'keyRing'>) {
  return async (c: RequestContext): Promise<Response> => {
    const ring = await keyRing.current()
    return c.json(publicKeySet(ring), 200, {
      'Content-Type': 'application/jwk-set+json',
      'Cache-Control': 'public, max-age=300',
    })
  }
}
