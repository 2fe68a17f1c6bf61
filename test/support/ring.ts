import { Redis } from 'ioredis'
import { base64url, compactDecrypt, importJWK, SignJWT, type JWTPayload } from 'jose'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { testSecret } from './stack.ts'

/** Signs with the service's own key, as only who holds both its store and its secret can. */
export async function signWithRing(redisUrl: string, header: object, payload: JWTPayload): Promise<string> {
  const direct = new Redis(redisUrl, { protocol: 2 })
  const { keys } = JSON.parse((await direct.get('keyring:{0}')) ?? '')
  direct.disconnect()
  const { keySeal } = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
  const { plaintext } = await compactDecrypt(keys[0].sealed, keySeal)
  const key = await importJWK(JSON.parse(new TextDecoder().decode(plaintext)), keys[0].alg)
  return new SignJWT(payload).setProtectedHeader({ alg: keys[0].alg, kid: keys[0].kid, ...header }).sign(key)
}
