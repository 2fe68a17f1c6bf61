import { expect, it } from 'vitest'
import { follow } from './support/follow.ts'

it('lets go of the body of an answer that it cannot use', async () => {
  const { issuer, verify } = await follow('none')
  const token = await issuer.sign()
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) })
  issuer.fetch = async () => new Response(body, { status: 503 })
  expect(await verify(token)).toMatchObject({ code: 'keys_unavailable' })
  expect(isCancelled).toBe(true)
})

it.each([
  ['jwks', 256_000, 'none' as const],
  ['revocations', 4_000_000, 'feed' as const],
  ['introspect', 64_000, 'introspect' as const],
])('gives up an answer of %s beyond %i bytes', async (part, limit, mode) => {
  const { issuer, verify } = await follow(mode)
  const token = await issuer.sign()
  const fetch = issuer.fetch.bind(issuer)
  let sent = 0
  issuer.fetch = async (url, init) => {
    if (!url.includes(part)) return fetch(url, init)
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      sent += 10_000
      controller.enqueue(new Uint8Array(10_000).fill(32))
      // Else the test would not end where nobody counts.
      if (sent > 2 * limit) controller.close()
    }
    return new Response(new ReadableStream<Uint8Array>({ pull }))
  }
  await verify(token)
  expect(sent).toBeGreaterThan(limit)
  expect(sent).toBeLessThan(limit + 100_000)
})

it('reads an answer in parts, also when they split a character', async () => {
  const { issuer, verify } = await follow('introspect')
  const token = await issuer.sign({ sub: 'Zoë' })
  const fetch = issuer.fetch.bind(issuer)
  issuer.fetch = async (url, init) => {
    const bytes = new TextEncoder().encode(await (await fetch(url, init)).text())
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    return new Response(body)
  }
  expect(await verify(token)).toMatchObject({ ok: true, claims: { sub: 'Zoë' } })
})

it('tells why the last call failed, until one succeeds', async () => {
  const { issuer, verifier, verify } = await follow('none')
  const token = await issuer.sign()
  const fetch = issuer.fetch.bind(issuer)
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  issuer.fetch = () => Promise.reject(new TypeError('fetch failed', { cause }))
  await verify(token)
  expect(verifier.state().keys.lastFailure).toBe('fetch failed (ECONNREFUSED)')
  issuer.fetch = fetch
  issuer.time.advance(1000)
  await verify(token)
  expect(verifier.state().keys).toMatchObject({ failures: 1, ageSeconds: 0 })
  expect(verifier.state().keys).not.toHaveProperty('lastFailure')
})
