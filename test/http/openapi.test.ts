import { Validator } from '@seriousme/openapi-schema-validator'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { createApp } from '../../src/app.ts'
import { PAGE_FILES } from '../../src/endpoints/page.ts'
import {
  freshPassword,
  goodPlan,
  makeRequest,
  plansWithOneFlaw,
  requestPlans,
  takenUsername,
  type Known,
  type RequestPlan,
} from '../support/generated-request.ts'
import { escapePointer, readInterface, type DescribedOperation, type Interface } from '../support/interface.ts'
import { createAdministrator, type Administrator } from '../support/administrator.ts'
import { testParts } from '../support/parts.ts'
import { apiSecret, audience, backendSecret, issuer, startStack, webOrigin, type Stack } from '../support/stack.ts'
import { basic, bodyOf, createUser, json, password, readTokens, type User } from '../support/user.ts'

/** Requests with many flaws, for each operation. */
const RUNS = 20
const asBackend = basic('backend', backendSecret)

let stack: Stack
let document: Record<string, unknown>
let described: Interface
let user: User
let administrator: Administrator

beforeAll(async () => {
  // Room for sessions of other clients beside the one that a request is about.
  stack = await startStack({ env: { SESSIONS_PER_USER: '10' } })
  document = await bodyOf(await stack.request('/openapi.json'))
  described = readInterface(document)
  user = await createUser(stack)
  administrator = await createAdministrator(stack)
  await stack.request('/v1/accounts', json({ username: takenUsername, password }))
})
afterAll(() => stack?.stop())

/** A session of its own for each request, which may end it, and a user of its own for each that tries a password. */
async function knowFor(operation: DescribedOperation): Promise<Known> {
  const { operationId, security, requestBody, tags } = operation
  const text = JSON.stringify([security, requestBody])
  const isSpent = /password/.test(text) || ['changeAccount', 'deleteAccount'].includes(operationId)
  const somebody = isSpent ? await createUser(stack) : user
  const credentials = { username: somebody.username, password }
  const signIn = (client_id: string, headers: Record<string, string>) =>
    stack.request('/v1/login', json({ ...credentials, client_id }, headers))
  const needsToken = /accessToken|refreshCookie|token"/.test(text)
  const tokens = needsToken ? await readTokens(await signIn('backend', asBackend)) : undefined
  const inBrowser = /refreshCookie/.test(text) ? await signIn('web', { Origin: webOrigin }) : undefined
  const isService = ['introspect', 'readRevocations'].includes(operationId)
  const isAdministration = tags.includes('Administration')
  const asks = isAdministration && needsToken ? await administrator.login() : tokens
  return {
    values: {
      username: /^(create|make)Account$/.test(operationId) ? freshPassword().slice(-36) : somebody.username,
      password,
      current_password: password,
      new_password: freshPassword(),
      grant_type: 'refresh_token',
      refresh_token: tokens?.refresh_token ?? '',
      token: tokens?.access_token ?? '',
      sid: tokens?.session_id ?? '',
      token_type_hint: 'access_token',
      client_id: isService ? 'api' : isAdministration ? 'app' : 'backend',
      scope: 'a',
      audience,
      fresh: '1',
      after: '',
      before: '',
      limit: '50',
      prefix: '',
      user_id: somebody.id,
      status: 'active',
      roles: ['teller'],
      everyone: true,
      jti: tokens?.session_id ?? '',
      expires_at: Math.floor(stack.nowMs() / 1000),
      subject: 'ada',
      amr: ['pwd'],
      device: 'phone',
      'Last-Event-ID': '',
      'Idempotency-Key': freshPassword().slice(-36),
    },
    credentials: {
      accessToken: { Authorization: `Bearer ${asks?.access_token ?? ''}` },
      client: isService ? basic('api', apiSecret) : isAdministration ? basic('idp', apiSecret) : asBackend,
      refreshCookie: { Cookie: inBrowser?.headers.get('Set-Cookie')?.split(';')[0] ?? '', Origin: webOrigin },
    },
  }
}

/** Whether the request may have used up what it came with: a token, a name, or the tries that a password has. */
function usesUp({ method, requestBody }: DescribedOperation, { ok, status }: Response): boolean {
  if (ok) return method !== 'get'
  return [401, 429].includes(status) && JSON.stringify(requestBody ?? {}).includes('password')
}

describe('the document', () => {
  it('is OpenAPI 3.1 whose references lead somewhere', async () => {
    const validator = new Validator()
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
    expect(() => validator.resolveRefs()).not.toThrow()
    expect(document).toMatchObject({ info: { version: manifest.version }, servers: [{ url: issuer }] })
  })

  it('may be kept for a while and read from everywhere, and is not sent twice', async () => {
    const { headers } = await stack.request('/openapi.json')
    expect(headers.get('Cache-Control')).toBe('public, max-age=300')
    expect(headers.get('Access-Control-Allow-Origin')).toBe('*')
    const again = await stack.request('/openapi.json', { headers: { 'If-None-Match': headers.get('ETag') ?? '' } })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('has every route, but for the files of pages', async () => {
    const { parts } = await testParts()
    const pages = new Set([...PAGE_FILES.map(({ path }) => path), '/docs', '/docs.css'])
    // Those for every method are middleware, what refuses other methods, and the gateway's, of which GET stands for all.
    const routes = createApp(parts).routes.filter(({ method, path }) => method !== 'ALL' && !pages.has(path))
    const named = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    const found = described.operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect(found.toSorted()).toEqual([...new Set(named)].toSorted())
    const ids = described.operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has examples that are as it says', () => {
    for (const { method, path, responses } of described.operations)
      for (const [status, { content = {} }] of Object.entries(responses))
        for (const [media, { examples }] of Object.entries(content))
          for (const { value } of Object.values(examples)) {
            const pointer = ['', 'paths', path, method, 'responses', status, 'content', media, 'schema']
            expect(described.flawsOfValue(pointer.map(escapePointer).join('/'), value)).toEqual([])
          }
  })
})

describe('the page of the document', () => {
  it('is there without the page at /, may be kept, and may run nothing', async () => {
    for (const path of ['/docs', '/docs.css']) {
      const { status, headers } = await stack.request(path)
      expect([status, headers.get('Cache-Control')]).toEqual([200, 'public, max-age=300'])
      const again = await stack.request(path, { headers: { 'If-None-Match': headers.get('ETag') ?? '' } })
      expect(again.status).toBe(304)
    }
    const page = await stack.request('/docs')
    expect(page.headers.get('Content-Type')).toMatch(/^text\/html/)
    expect(page.headers.get('Content-Security-Policy')).toMatch(/^default-src 'none'; style-src 'self';/)
    expect(page.headers.get('Content-Security-Policy')).not.toMatch(/script-src|unsafe/)
    const text = await page.text()
    for (const { path, summary } of described.operations)
      for (const shown of [path, summary]) expect(text).toContain(shown)
  })
})

describe('every operation', () => {
  it('does what it is there for, and says so as described', async () => {
    for (const operation of described.operations) {
      const { path, init } = makeRequest(operation, goodPlan, await knowFor(operation))
      const answer = await stack.request(path, init)
      const [success] = Object.keys(operation.responses)
      expect([operation.operationId, String(answer.status)]).toEqual([operation.operationId, success])
      expect([operation.operationId, ...(await described.flawsOf(operation, answer))]).toEqual([operation.operationId])
    }
  })

  it('answers as described whatever it is sent, and never that something went wrong here', async () => {
    for (const operation of described.operations) {
      const examples = plansWithOneFlaw(operation).map((plan): [RequestPlan] => [plan])
      let known: Known | undefined
      const holds = async (plan: RequestPlan) => {
        known ??= await knowFor(operation)
        const { path, init } = makeRequest(operation, plan, known)
        const answer = await stack.request(path, init)
        if (usesUp(operation, answer)) known = undefined
        expect([operation.operationId, ...(await described.flawsOf(operation, answer))]).toEqual([
          operation.operationId,
        ])
        expect(answer.status).toBeLessThan(500)
      }
      await fc.assert(fc.asyncProperty(requestPlans, holds), { numRuns: examples.length + RUNS, examples })
    }
  }, 600_000)

  it('answers as described while the store is down', async () => {
    const known: Known[] = []
    for (const operation of described.operations) known.push(await knowFor(operation))
    stack.proxy.mode('refuse')
    onTestFinished(() => stack.proxy.mode('pass'))
    for (const [at, operation] of described.operations.entries()) {
      const { path, init } = makeRequest(operation, goodPlan, known[at] ?? { values: {}, credentials: {} })
      const answer = await stack.request(path, init)
      expect([operation.operationId, ...(await described.flawsOf(operation, answer))]).toEqual([operation.operationId])
      expect([operation.operationId, answer.status === 503 || answer.ok]).toEqual([operation.operationId, true])
    }
  })

  it('is the only thing at its address: other methods are told which there are', async () => {
    const byPath = Map.groupBy(described.operations, ({ path }) => path)
    byPath.delete('/v1/verify')
    for (const [path, operations] of byPath) {
      const names = operations.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (names.includes(method)) continue
        const answer = await stack.request(path, { method })
        if (method === 'OPTIONS' && answer.status === 204) continue
        expect([path, method, answer.status, answer.headers.get('Allow')]).toEqual([
          path,
          method,
          405,
          names.join(', '),
        ])
        const component = path.startsWith('/oauth/') ? 'OAuthError' : 'Problem'
        const body = method === 'HEAD' ? undefined : await answer.json()
        if (body) expect(described.flawsOfValue(`/components/schemas/${component}`, body)).toEqual([])
      }
    }
  })
})
