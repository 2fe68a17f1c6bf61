import { CompactSign } from 'jose'
import { expect, it } from 'vitest'
import { requireToken as honoRequires } from '../../src/verifier/hono.ts'
import { requireToken } from '../../src/verifier/node.ts'
import { follow } from './support/follow.ts'

it('takes a token in one spelling alone', async () => {
  const { issuer, verifier, verify } = await follow()
  const token = await issuer.sign()
  const [header, payload, signature = ''] = token.split('.')
  const last = signature.charCodeAt(signature.length - 1) + 1
  const spellings = [
    `${token}\n`,
    ` ${token}`,
    `${token}=`,
    `${header}.${payload}. ${signature}`,
    `${header}.${payload}.${signature.slice(0, 10)}\n${signature.slice(10)}`,
    `${header}.${payload}.${signature.slice(0, -1)}${String.fromCharCode(last)}`,
    `${token}.${signature}`,
    `${header}.${payload}.${signature}AAAA`,
  ]
  for (const spelling of spellings) expect(await verify(spelling)).toMatchObject({ ok: false, code: 'invalid_token' })
  expect(await verify(token)).toMatchObject({ ok: true })
  expect(verifier.state().remembered).toBe(1)
})

it('takes no token whose header asks for an extension', async () => {
  const { issuer, verify } = await follow()
  const [key] = issuer.keys
  const payload = Buffer.from((await issuer.sign()).split('.')[1] ?? '', 'base64url')
  if (!key) throw new Error('no key')
  const sign = (extension: object) =>
    new CompactSign(payload)
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt', ...extension })
      .sign(key.privateKey)
  expect(await verify(await sign({}))).toMatchObject({ ok: true })
  expect(await verify(await sign({ b64: true, crit: ['b64'] }))).toMatchObject({ code: 'invalid_token' })
  expect(await verify(await sign({ b64: true }))).toMatchObject({ code: 'invalid_token' })
})

it.each([{ scope: ['admin'] }, { scopes: 'admin' }, { roles: [1] }])('refuses to require %j', async (wrong) => {
  const { verifier } = await follow('none')
  for (const middleware of [requireToken, honoRequires])
    expect(() => Reflect.apply(middleware, undefined, [verifier, wrong])).toThrow(TypeError)
})

it('is not put off by a waitUntil that throws', async () => {
  const { issuer, verifier } = await follow()
  const waitUntil = () => {
    throw new TypeError('Illegal invocation')
  }
  expect(await verifier.verify(await issuer.sign(), { waitUntil })).toMatchObject({ ok: true })
})
