import { connect } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ListeningProcess } from '../../src/local/listening-process.ts'
import { badTokens } from '../support/bad-tokens.ts'
import { type EchoService, startEchoService } from '../support/echo-service.ts'
import type { StartGateway } from '../support/gateway.ts'
import { startStack, type Stack } from '../support/stack.ts'
import { startTcpProxy, type TcpProxy, type TcpProxyMode } from '../support/tcp-proxy.ts'
import { bearer, createUser, json, refusal, type Tokens, type User } from '../support/user.ts'

/** What every gateway in front of a service must do, with the real one, a real Latchkey and a service that remembers. */
export function gatewayBehaviour(start: StartGateway): void {
  let stack: Stack
  let service: EchoService
  /** Between the gateway and Latchkey. */
  let way: TcpProxy
  let gateway: ListeningProcess
  let user: User
  let tokens: Tokens

  beforeAll(async () => {
    stack = await startStack({ env: { CHECK_CACHE_SECONDS: '0' } })
    service = await startEchoService()
    way = await startTcpProxy({ targetPort: Number(new URL(stack.addressOf(0)).port) })
    gateway = await start({ latchkeyPort: way.port, servicePort: service.port })
    user = await createUser(stack)
    tokens = await user.login()
  })
  afterAll(async () => {
    await gateway.stop()
    await way.close()
    await service.close()
    await stack.stop()
  })
  beforeEach(() => service.forget())

  const ask = (path: string, init?: RequestInit) => fetch(`${gateway.url}${path}`, init)
  const untilPassing = (token: string) =>
    vi.waitFor(async () => expect((await ask('/', bearer(token))).status).toBe(200), { timeout: 10_000 })

  /** What a client sees when nobody can say whether its token is good. */
  const unavailable = {
    refusal: '503 verify_unavailable',
    retryAfter: '1',
    challenge: null,
    type: 'application/problem+json',
    reachedService: 0,
  }
  const outcomeOf = async (answer: Response) => ({
    refusal: await refusal(answer),
    retryAfter: answer.headers.get('Retry-After'),
    challenge: answer.headers.get('WWW-Authenticate'),
    type: answer.headers.get('Content-Type'),
    reachedService: service.received.length,
  })

  describe('a good token', () => {
    it('passes, and the service hears who it is', async () => {
      const answer = await ask('/orders?page=2', bearer(tokens.access_token))
      expect([answer.status, await answer.text()]).toEqual([200, 'from the service'])
      expect(service.received).toMatchObject([
        {
          method: 'GET',
          path: '/orders?page=2',
          headers: {
            'x-user-id': user.id,
            'x-session-id': tokens.session_id,
            'x-session-check': 'live',
            authorization: `Bearer ${tokens.access_token}`,
          },
        },
      ])
      expect(service.received[0]?.headers).not.toHaveProperty('x-roles')
    })

    it.each(['POST', 'PUT', 'PATCH'])('passes with the whole body of a %s, small or large', async (method) => {
      for (const body of ['a small body', 'large '.repeat(150_000)]) {
        service.forget()
        const init = bearer(tokens.access_token, method)
        expect((await ask('/orders', { ...init, body })).status).toBe(200)
        expect(service.received[0]?.method).toBe(method)
        expect(service.received[0]?.body === body).toBe(true)
      }
    })

    it('leaves the service’s own refusals and failures alone', async () => {
      for (const status of [401, 404, 500, 502, 503]) {
        const answer = await ask(`/status/${status}`, bearer(tokens.access_token))
        expect([answer.status, await answer.text()]).toEqual([status, 'from the service'])
      }
    })
  })

  describe('a user’s roles', () => {
    it('are told to the service as they are now', async () => {
      const direct = new Redis(stack.redis.url, { protocol: 2 })
      const key = `s:{0}:${user.id}`
      const record = (await direct.get(key)) ?? ''
      await direct.set(key, JSON.stringify(['teller auditor', ...JSON.parse(record).slice(1)]), 'KEEPTTL')
      await ask('/orders', bearer(tokens.access_token))
      await direct.set(key, record, 'KEEPTTL')
      direct.disconnect()
      expect(service.received[0]?.headers['x-roles']).toBe('teller auditor')
    })
  })

  describe('a client that says who it is', () => {
    const names = ['X-User-Id', 'X-Session-Id', 'X-Roles', 'X-Session-Check']
    const lies = names.flatMap((name) => [name, name.toUpperCase(), name.replaceAll('-', '_')])
    const linesWith = (...more: string[]) => [
      'GET /orders HTTP/1.1',
      'Host: gateway',
      `Authorization: Bearer ${tokens.access_token}`,
      ...more,
      'Connection: close',
    ]

    it('is not believed: each name is replaced by what Latchkey says, or taken away', async () => {
      const answer = await sendRaw(gateway.port, linesWith(...lies.map((name) => `${name}: root`)))
      expect(answer).toMatch(/^HTTP\/1.1 200 /u)
      expect(service.received).toMatchObject([{ headers: { 'x-user-id': user.id, 'x-session-id': tokens.session_id } }])
      expect(JSON.stringify(service.received)).not.toContain('root')
    })

    it('cannot have one token checked and another one passed on', async () => {
      const answer = await sendRaw(gateway.port, linesWith('Authorization: Bearer another'))
      expect(answer).toMatch(/^HTTP\/1.1 (?:200|400) /u)
      expect(JSON.stringify(service.received)).not.toContain('another')
    })
  })

  describe('a request that is refused', () => {
    it('without a token is challenged with the bare scheme, and the service is not called', async () => {
      const answer = await ask('/orders', { method: 'POST', body: 'a body' })
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer')
      expect(await refusal(answer)).toBe('401 token_missing')
      expect(service.received).toEqual([])
    })

    it('is so with every kind of bad token, which is called invalid', async () => {
      for (const { name, token } of await badTokens(stack, tokens)) {
        const answer = await ask('/orders', bearer(token))
        expect({ name, challenge: answer.headers.get('WWW-Authenticate'), refusal: await refusal(answer) }).toEqual({
          name,
          challenge: 'Bearer error="invalid_token"',
          refusal: '401 invalid_token',
        })
      }
      expect(service.received).toEqual([])
    })

    it('is so as soon as the session was ended', async () => {
      const ended = await user.login()
      expect((await ask('/orders', bearer(ended.access_token))).status).toBe(200)
      await stack.request('/v1/logout', json({ refresh_token: ended.refresh_token }))
      service.forget()
      expect(await refusal(await ask('/orders', bearer(ended.access_token)))).toBe('401 invalid_token')
      expect(service.received).toEqual([])
      tokens = await user.login()
    })
  })

  describe('a store that is down', () => {
    it.each<TcpProxyMode>(['refuse', 'hang', 'garbage', 'drop-replies'])(
      '(%s) is 503 with Retry-After and no 401, and all passes again when it is back',
      async (mode) => {
        const { access_token } = await (await createUser(stack)).login()
        stack.proxy.mode(mode)
        expect(await outcomeOf(await ask('/orders', bearer(access_token)))).toEqual(unavailable)
        expect(await outcomeOf(await ask('/orders', { ...bearer(access_token, 'POST'), body: 'a body' }))).toEqual(
          unavailable,
        )
        stack.proxy.mode('pass')
        await untilPassing(access_token)
      },
    )
  })

  describe('a Latchkey that cannot be reached', () => {
    it.each<TcpProxyMode>(['refuse', 'hang', 'garbage'])(
      '(%s) is 503 with Retry-After, with a token and without, and all passes again when it is back',
      async (mode) => {
        way.mode(mode)
        expect(await outcomeOf(await ask('/orders', bearer(tokens.access_token)))).toEqual(unavailable)
        expect(await outcomeOf(await ask('/orders'))).toEqual(unavailable)
        way.mode('pass')
        await untilPassing(tokens.access_token)
      },
    )
  })

  describe('a server that says yes to everything in Latchkey’s place', () => {
    it.each([200, 204])('(%i) opens nothing, since it names nobody', async (status) => {
      const stranger = await startEchoService({ status })
      onTestFinished(() => stranger.close())
      const misled = await start({ latchkeyPort: stranger.port, servicePort: service.port })
      onTestFinished(() => misled.stop())
      expect(await outcomeOf(await fetch(misled.url, bearer(tokens.access_token)))).toEqual(unavailable)
      expect(stranger.received.length).toBeGreaterThan(0)
    })
  })

  describe('a service that is down', () => {
    it('is not taken for a Latchkey that is down', async () => {
      const alone = await start({ latchkeyPort: way.port, servicePort: 1 })
      onTestFinished(() => alone.stop())
      const answer = await fetch(alone.url, bearer(tokens.access_token))
      expect([502, 503]).toContain(answer.status)
      expect(await answer.text()).not.toContain('verify_unavailable')
    })
  })
}

/** Sends lines as they are: fetch would not send a name twice. Answers what came back. */
async function sendRaw(port: number, lines: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}
