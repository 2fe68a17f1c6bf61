import { once } from 'node:events'
import { connect } from 'node:net'
import { EventSource } from 'eventsource'
import { Redis } from 'ioredis'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { withdrawKey } from '../../src/tokens/key-changes.ts'
import { apiSecret, backendSecret, stackForTest, startStack, type Stack } from '../support/stack.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { basic, bearer, createUser, form, json, refusal } from '../support/user.ts'

const asApi = basic('api', apiSecret)

const page = z.strictObject({
  entries: z.array(z.strictObject({ kind: z.string(), id: z.string(), exp: z.int() })),
  cursor: z.string(),
  reset: z.boolean(),
  more: z.boolean(),
  window_seconds: z.literal(360),
  as_of: z.number(),
  now: z.number(),
})

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

const ask = (at: Stack, query = '') => at.request(`/v1/revocations${query}`, { headers: asApi })
async function read(at: Stack, after?: string) {
  const answer = await ask(at, after === undefined ? '' : `?after=${after}`)
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
  return page.parse(await answer.json())
}
const idsOf = ({ entries }: z.infer<typeof page>) => entries.map(({ kind, id }) => `${kind} ${id}`)
/** Beyond the second for which an isolate answers from memory. */
const lookAgain = (at: Stack) => at.advanceClock(1000)

describe('the revocation feed', () => {
  it('tells of a logout, a newer sign-in, reuse, a denied token and a withdrawn key, each once', async () => {
    const user = await createUser(stack)
    const start = await read(stack)
    expect(start.reset).toBe(true)

    const loggedOut = await user.login()
    await stack.request('/v1/logout', json({ refresh_token: loggedOut.refresh_token }))
    const superseded = await user.login()
    const reused = await user.login()
    const denied = await user.refreshed(reused.refresh_token)
    const { jti } = decodeJwt(denied.access_token)
    await stack.request('/oauth/revoke', form({ token: denied.access_token, client_id: 'app' }))
    await user.refreshed(denied.refresh_token)
    await user.refresh(reused.refresh_token)
    const { kid } = z
      .object({ kid: z.string() })
      .parse(JSON.parse(Buffer.from(loggedOut.access_token.split('.')[0] ?? '', 'base64url').toString()))
    await withdrawKey(await stack.operator(), kid, stack.nowMs())

    await lookAgain(stack)
    const news = await read(stack, start.cursor)
    expect(idsOf(news)).toEqual([
      `sid ${loggedOut.session_id}`,
      `sid ${superseded.session_id}`,
      `jti ${jti}`,
      `sid ${reused.session_id}`,
      `kid ${kid}`,
    ])
    expect(news).toMatchObject({ reset: false, more: false })
    for (const { exp } of news.entries) {
      expect(exp).toBeGreaterThan(stack.nowMs() / 1000 + 310)
      expect(exp).toBeLessThanOrEqual(stack.nowMs() / 1000 + 361)
    }
    expect(idsOf(await read(stack, news.cursor))).toEqual([])
    const whole = await read(stack)
    expect(whole).toMatchObject({ reset: true, cursor: news.cursor })
    expect(idsOf(whole)).toEqual(idsOf(news))
  })

  it('says how old its answer is', async () => {
    const { cursor } = await read(stack)
    await lookAgain(stack)
    const fresh = await read(stack, cursor)
    expect(fresh.now).toBeGreaterThanOrEqual(fresh.as_of)
    expect(fresh.now - fresh.as_of).toBeLessThan(2)
    expect(fresh.as_of).toBeLessThanOrEqual(stack.nowMs() / 1000)
  })

  it('gives the whole window to a cursor that cannot be continued, and to one of other buckets', async () => {
    const own = await stackForTest()
    const user = await createUser(own)
    await user.login()
    const second = await user.login()
    const { cursor } = await read(own)
    await own.request('/v1/logout', json({ refresh_token: second.refresh_token }))
    const direct = new Redis(own.redis.url, { protocol: 2 })
    await direct.xdel('feed:{0}', /^\d+-\d+/.exec(cursor)?.[0] ?? '')
    for (const stale of [cursor, `${cursor}.${cursor}`, '1-0', '9999999999999-0']) {
      await lookAgain(own)
      const answer = await read(own, stale)
      expect([answer.reset, idsOf(answer)]).toEqual([true, [`sid ${second.session_id}`]])
    }
    await direct.flushall()
    direct.disconnect()
    await lookAgain(own)
    expect(await read(own, cursor)).toMatchObject({ reset: true, entries: [], cursor: '0-0' })
  })

  it('is for services that authenticate, and takes no cursor of anybody’s invention', async () => {
    const asks = [{}, basic('api', 'wrong'), { Authorization: 'Bearer x' }]
    for (const headers of asks) {
      const answer = await stack.request('/v1/revocations', { headers })
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic /)
      expect(await refusal(answer)).toBe('401 invalid_client')
    }
    const other = await stack.request('/v1/revocations', { headers: basic('backend', backendSecret) })
    expect(await refusal(other)).toBe('403 client_not_allowed')
    for (const cursor of [
      '1-99999999999999999999',
      '1-0-too-long',
      '1-0-é',
      'x',
      '1',
      '-',
      '1-0.',
      '1-0;',
      `${'1'.repeat(16)}-0`,
    ])
      expect(await refusal(await ask(stack, `?after=${cursor}`))).toBe('400 bad_request')
    expect(await refusal(await stack.request('/v1/revocations', { method: 'POST' }))).toBe('405 method_not_allowed')
  })

  it('costs the store one read a second in each server, however many poll', async () => {
    const own = await stackForTest({ servers: 2, env: { INTROSPECTIONS_PER_SECOND: '0' } })
    const user = await createUser(own)
    await user.login()
    await user.login()
    const { cursor } = await read(own)
    own.forgetStoreRequests()
    const startedMs = performance.now()
    let answers = 0
    while (performance.now() - startedMs < 2500) {
      await Promise.all(Array.from({ length: 40 }, () => read(own, cursor)))
      answers += 40
    }
    const seconds = (performance.now() - startedMs) / 1000
    const reads = own.storeRequests.length
    console.log(`${answers} polls of two servers in ${seconds.toFixed(1)} s cost the store ${reads} reads`)
    expect(reads).toBeGreaterThanOrEqual(2)
    expect(reads).toBeLessThanOrEqual(2 * (seconds + 1))
    expect(answers).toBeGreaterThan(200)
  })

  it('answers 503 with Retry-After while the store is down, and goes on where it was', async () => {
    const own = await stackForTest()
    const user = await createUser(own)
    await user.login()
    const { cursor } = await read(own)
    own.proxy.mode('refuse')
    await lookAgain(own)
    for (const query of ['', `?after=${cursor}`, `?after=${cursor}`]) {
      const answer = await ask(own, query)
      expect(answer.headers.get('Retry-After')).toBe('1')
      expect(await refusal(answer)).toBe('503 store_unavailable')
    }
    own.proxy.mode('pass')
    const direct = new Redis(own.redis.url, { protocol: 2 })
    await direct.xadd('feed:{0}', '*', 'kind', 'sid', 'id', 'planted', 'exp', String(own.nowMs() + 1000))
    direct.disconnect()
    let answer = await ask(own, `?after=${cursor}`)
    // The circuit breaker lets its trial through after a second of its own clock.
    while (answer.status === 503) {
      await lookAgain(own)
      answer = await ask(own, `?after=${cursor}`)
    }
    expect(idsOf(page.parse(await answer.json()))).toEqual(['sid planted'])
  })
})

describe('the revocation feed in trouble', () => {
  it('keeps its trouble to itself: others sign in while one bucket’s feed cannot be read', async () => {
    const own = await stackForTest({ env: { STORE_BUCKETS: '2' } })
    const user = await createUser(own)
    const { cursor } = await read(own)
    const direct = new Redis(own.redis.url, { protocol: 2 })
    for (const bucket of [0, 1]) await direct.set(`feed:{${bucket}}`, 'no stream')
    direct.disconnect()
    for (let times = 0; times < 8; times++) {
      await lookAgain(own)
      expect(await refusal(await ask(own, `?after=${cursor}`))).toBe('503 store_unavailable')
    }
    await user.login()
  })

  it('leaves nobody waiting for a stream whose client vanished while it tried the store for all', async () => {
    const own = await stackForTest({ env: { STORE_TIMEOUT_MS: '1000' } })
    const user = await createUser(own)
    const { access_token } = await user.login()
    const verify = async () => (await own.request('/v1/verify?fresh=1', bearer(access_token))).status
    const { hostname, port } = new URL(own.addressOf(0))
    const head = `GET /v1/revocations HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: ${asApi.Authorization}\r\n\r\n`
    const sockets = Array.from({ length: 5 }, () => connect(Number(port), hostname))
    await Promise.all(
      sockets.map(async (socket) => {
        socket.write(head)
        await once(socket, 'data')
      }),
    )
    own.proxy.mode('hang')
    await Promise.all(Array.from({ length: 6 }, verify))
    // The circuit is open. The next store call is its trial, and a stream's: nobody else asks.
    const before = own.proxy.swallowed()
    await expect.poll(() => own.proxy.swallowed(), { timeout: 10_000 }).toBeGreaterThan(before)
    for (const socket of sockets) socket.resetAndDestroy()
    own.proxy.mode('pass')
    await expect.poll(verify, { timeout: 10_000 }).toBe(204)
  })
})

describe('the revocation feed as a stream', () => {
  it('sends the same answers as events, and a stock client resumes where it was cut off', async () => {
    const own = await stackForTest()
    const user = await createUser(own)
    const first = await user.login()
    const line = await startTcpProxy({ targetPort: Number(new URL(own.addressOf(0)).port) })
    onTestFinished(() => line.close())
    const url = `http://127.0.0.1:${line.port}/v1/revocations`
    const source = new EventSource(url, {
      fetch: (target, init) => fetch(target, { ...init, headers: { ...init.headers, ...asApi } }),
    })
    onTestFinished(() => source.close())
    const got: string[] = []
    const opened: Event[] = []
    let heard: (() => void) | undefined
    source.addEventListener('open', (event) => {
      opened.push(event)
      heard?.()
    })
    source.addEventListener('revocations', (event) => {
      got.push(...idsOf(page.parse(JSON.parse(z.string().parse(event.data)))))
      heard?.()
    })
    const hears = async (id: string) => {
      while (!got.includes(id)) await new Promise<void>((resolve) => (heard = resolve))
    }
    await own.request('/v1/logout', json({ refresh_token: first.refresh_token }))
    await hears(`sid ${first.session_id}`)

    const second = await user.login()
    await own.request('/v1/logout', json({ refresh_token: second.refresh_token }))
    // The client comes back while the store is away, too: an error would make it give up for good.
    own.proxy.mode('refuse')
    line.mode('refuse')
    line.mode('pass')
    while (opened.length < 2) await new Promise<void>((resolve) => (heard = resolve))
    own.proxy.mode('pass')
    await hears(`sid ${second.session_id}`)
    expect(got.filter((id) => id.endsWith(second.session_id))).toHaveLength(1)
    expect(got[0]).toBe(`sid ${first.session_id}`)
  })

  it('has a heartbeat that says how old its news is, also while the store is down', async () => {
    const own = await stackForTest()
    const headers = { ...asApi, Accept: 'text/event-stream' }
    const answer = await own.request('/v1/revocations', { headers, signal: AbortSignal.timeout(30_000) })
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    const text = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    const next = async () => {
      let event = ''
      while (!event.endsWith('\n\n')) event += (await text?.read())?.value ?? ''
      expect(event).toMatch(/^event: revocations\n/)
      expect(event).toMatch(/^id: 0-0$/m)
      return page.parse(JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? ''))
    }
    const one = await next()
    await own.advanceClock(5000)
    const two = await next()
    expect(two.as_of).toBeGreaterThan(one.as_of)
    own.proxy.mode('refuse')
    await own.advanceClock(5000)
    const three = await next()
    expect(three.now - three.as_of).toBeGreaterThan(4)
    await text?.cancel()
  })
})
