import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { Stack } from './stack.ts'

/** The public keys that a server publishes. */
export async function readKeySet(stack: Stack) {
  const answer = await stack.request('/.well-known/jwks.json')
  return z.object({ keys: z.array(z.looseObject({ kid: z.string() })) }).parse(await answer.json()).keys
}

export interface StockVerifier {
  /** @throws if the verifier refuses the token */
  verify(token: string): Promise<void>
  stop(): void
}

/**
 * PyJWT with its own key client, as its documentation shows it. The service's clock is moved by tests and Python's is not,
 * so the times of tokens are not looked at.
 */
const program = `
import json, sys, jwt
url, issuer, audience = sys.argv[1:]
keys = jwt.PyJWKClient(url)
print('ready', flush=True)
for token in sys.stdin:
    try:
        key = keys.get_signing_key_from_jwt(token.strip()).key
        jwt.decode(token.strip(), key, algorithms=['ES256'], issuer=issuer, audience=audience,
                   options={'verify_iat': False, 'verify_exp': False})
        print('ok', flush=True)
    except Exception as error:
        print(f'refused: {error!r}', flush=True)
`

/** Debian's Python, which has Debian's PyJWT (packages python3-jwt and python3-cryptography). */
const python = '/usr/bin/python3'

export function hasPyJwt(): boolean {
  return spawnSync(python, ['-c', 'import jwt, cryptography']).status === 0
}

export async function startVerifier(
  keySetUrl: string,
  { issuer, audience }: { readonly issuer: string; readonly audience: string },
): Promise<StockVerifier> {
  const child = spawn(python, ['-c', program, keySetUrl, issuer, audience], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => String((await lines.next()).value)
  if ((await answer()) !== 'ready')
    throw new Error('PyJWT is missing: apt-get install python3-jwt python3-cryptography')
  return {
    async verify(token) {
      child.stdin.write(`${token}\n`)
      const said = await answer()
      if (said !== 'ok') throw new Error(said)
    },
    stop: () => child.stdin.end(),
  }
}
