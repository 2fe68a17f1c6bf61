import { z } from 'zod'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import type { Parts } from '../parts.ts'
import { publicKeySet } from '../tokens/keyring.ts'

const key = z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') })
const answer = z.object({ keys: z.array(key) })

export const jwksOperation: Operation = {
  id: 'listKeys',
  tag: 'Discovery',
  summary: 'The public keys',
  success: { status: 200, description: 'RFC 7517 section 5.', content: { 'application/jwk-set+json': answer } },
  failures: ['unavailable'],
}

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
