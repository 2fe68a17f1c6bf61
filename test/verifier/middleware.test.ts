import { createServer, type Server } from 'node:http'
import express from 'express'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { requireToken as honoRequires, type TokenEnv } from '../../src/verifier/hono.ts'
import { requireToken, tokenOf } from '../../src/verifier/node.ts'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.ts'
import { createTestIssuer, type TestIssuer } from './support/issuer.ts'

const needs = { scopes: ['read', 'write'], roles: ['admin'] }

let issuer: TestIssuer
let verifier: Verifier
beforeEach(async () => {
  issuer = await createTestIssuer()
  verifier = createVerifier(issuer.options('feed'))
})

/** The middleware under test is that of the moment: each test has its own verifier. */
const current: Verifier = {
  verify: (token, options) => verifier.verify(token, options),
  close: () => verifier.close(),
  state: () => verifier.state(),
}

const hono = new Hono<TokenEnv>()
  .get('/open', honoRequires(current), (c) => c.text(c.get('token').claims.sub))
  .get('/closed', honoRequires(current, needs), (c) => c.text('in'))

const app = express()
app.get('/open', requireToken(current), (req, res) => void res.send(tokenOf(req).claims.sub))
app.get('/closed', requireToken(current, needs), (_req, res) => void res.send('in'))

const bare = createServer((req, res) => {
  const middleware = requireToken(current, req.url === '/closed' ? needs : {})
  void middleware(req, res, () => res.end(req.url === '/closed' ? 'in' : tokenOf(req).claims.sub))
})

const servers: Server[] = []
const addresses = new Map<string, string>()
beforeAll(async () => {
  for (const [name, server] of [['express', createServer(app)] as const, ['node:http', bare] as const]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    addresses.set(name, `http://127.0.0.1:${z.object({ port: z.number() }).parse(server.address()).port}`)
  }
})
afterAll(() => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))))

describe.each(['hono', 'express', 'node:http'])('behind the middleware for %s', (kind) => {
  const get = async (path: string, authorization?: string): Promise<Response> => {
    const init = { headers: authorization === undefined ? {} : { authorization } }
    return kind === 'hono' ? hono.request(path, init) : fetch(`${addresses.get(kind)}${path}`, init)
  }
  const refusal = async (answer: Response) => {
    const { code } = z.object({ code: z.string() }).parse(await answer.json())
    return { status: answer.status, code, challenge: answer.headers.get('WWW-Authenticate') }
  }

  it('a good token is let in, and known to the handler', async () => {
    const token = await issuer.sign()
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) {
      const answer = await get('/open', `${scheme} ${token}`)
      expect([answer.status, await answer.text()]).toEqual([200, 'user-1'])
    }
  })

  it('a request without a token hears that one is needed, and no error', async () => {
    for (const authorization of [undefined, 'Basic dXNlcjpwYXNz', 'Bearer', 'Bearer '])
      expect(await refusal(await get('/open', authorization))).toEqual({
        status: 401,
        code: 'token_missing',
        challenge: 'Bearer',
      })
  })

  it('all bad tokens hear the same', async () => {
    const [expired, revoked] = [await issuer.sign({ exp: 1 }), await issuer.sign({ sid: 'gone' })]
    issuer.revoke('sid', 'gone')
    for (const token of [expired, revoked, 'rubbish', 'two words', `${await issuer.sign()}, ${await issuer.sign()}`])
      expect(await refusal(await get('/open', `Bearer ${token}`))).toEqual({
        status: 401,
        code: 'invalid_token',
        challenge: 'Bearer error="invalid_token"',
      })
  })

  it('a token is not taken from the query', async () => {
    expect((await get(`/open?access_token=${await issuer.sign()}`)).status).toBe(401)
  })

  it('every scope and every role is needed', async () => {
    const enter = async (claims: Record<string, unknown>) => get('/closed', `Bearer ${await issuer.sign(claims)}`)
    const insufficient = {
      status: 403,
      code: 'insufficient_scope',
      challenge: 'Bearer error="insufficient_scope", scope="read write"',
    }
    for (const scope of [undefined, '', 'read', 'reads write'])
      expect(await refusal(await enter({ scope, roles: ['admin'] }))).toEqual(insufficient)
    expect(await refusal(await enter({ scope: 'read write', roles: ['user'] }))).toEqual({
      status: 403,
      code: 'role_missing',
      challenge: 'Bearer error="insufficient_scope"',
    })
    expect((await enter({ scope: 'write other read', roles: ['user', 'admin'] })).status).toBe(200)
  })

  it('an outage is a 503 to try again, without a challenge', async () => {
    const token = await issuer.sign()
    issuer.fault = 'refusing'
    const answer = await get('/open', `Bearer ${token}`)
    expect(answer.headers.get('Retry-After')).toBe('1')
    expect(await refusal(answer)).toEqual({ status: 503, code: 'keys_unavailable', challenge: null })
    issuer.fault = 'none'
    issuer.time.advance(30_000)
    expect((await get('/open', `Bearer ${token}`)).status).toBe(200)
    issuer.fault = 'refusing'
    issuer.time.advance(30_000)
    expect(await refusal(await get('/open', `Bearer ${token}`))).toMatchObject({ code: 'revocation_unknown' })
  })
})

it('lets a poll outlive its request in Workers', async () => {
  const begun: Promise<unknown>[] = []
  const context = {
    waitUntil: (promise: Promise<unknown>) => void begun.push(promise),
    passThroughOnException() {},
    props: {},
  }
  const headers = { authorization: `Bearer ${await issuer.sign()}` }
  expect((await hono.request('/open', { headers }, {}, context)).status).toBe(200)
  expect(begun).toHaveLength(2)
})

it.each([{}, { waitUntil: 1 }])('takes %j for a context of Hono without waitUntil', async (context) => {
  const headers = { authorization: `Bearer ${await issuer.sign()}` }
  const answer: unknown = Reflect.apply(hono.request, hono, ['/open', { headers }, {}, context])
  expect(await answer).toMatchObject({ status: 200 })
})

it('gives errors of the verifier to Express’s own handler', async () => {
  verifier = { ...current, verify: () => Promise.reject(new Error('planted')) }
  const errors: unknown[] = []
  const ended = () => undefined
  const response = { statusCode: 200, setHeader: ended, end: ended }
  await requireToken(current)({ headers: { authorization: 'Bearer x' } }, response, (error) => void errors.push(error))
  expect(errors).toEqual([new Error('planted')])
  expect(() => tokenOf({ headers: {} })).toThrow(/did not pass requireToken/)
})
