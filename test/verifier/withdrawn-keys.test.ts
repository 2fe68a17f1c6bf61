/** Who has stolen a key can sign tokens for as long as a verifier holds it: no window of the feed ends that. */
import { describe, expect, it } from 'vitest'
import { answerWith, follow } from './support/follow.ts'
import { makeKey, type SigningKey, type TestIssuer } from './support/issuer.ts'

const MINUTE_MS = 60_000

/** Withdraws the issuer's first key as the service does it: told by the feed for six minutes, and gone from the set. */
function withdraw(issuer: TestIssuer): SigningKey {
  const [stolen] = issuer.keys
  if (!stolen) throw new Error('no key')
  issuer.revoke('kid', stolen.kid, Math.floor(issuer.time.issuerMs / 1000) + 360)
  issuer.keys.shift()
  return stolen
}

describe('a token signed by a withdrawn key', () => {
  it.each(['feed', 'introspect', 'none'] as const)(
    'is refused after an hour in which nothing was verified (%s)',
    async (mode) => {
      const { issuer, verify } = await follow(mode)
      issuer.keys.push(await makeKey('key-2'))
      expect(await verify(await issuer.sign())).toMatchObject({ ok: true })
      const stolen = withdraw(issuer)
      issuer.time.advance(64 * MINUTE_MS)
      expect(await verify(await issuer.sign({}, {}, stolen))).toMatchObject({ ok: false, status: 401 })
    },
  )

  it('is refused for as long as the key set cannot be fetched, and after', async () => {
    const { issuer, verifier, verify } = await follow()
    issuer.keys.push(await makeKey('key-2'))
    await verify(await issuer.sign())
    const stolen = withdraw(issuer)
    const restore = answerWith(issuer, 'jwks', 403)
    for (let n = 0; n < 80 * 6; n++) {
      issuer.time.advance(10_000)
      await verify(await issuer.sign())
      expect(await verify(await issuer.sign({}, {}, stolen))).toMatchObject({ ok: false })
    }
    restore()
    issuer.time.advance(30_000)
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true })
    expect(verifier.state().keys.kids).toEqual(['key-2'])
    expect(await verify(await issuer.sign({}, {}, stolen))).toMatchObject({ ok: false, status: 401 })
  })

  it.each(['remembered', 'new'])('is refused after a gap in which the feed forgot it (%s)', async (which) => {
    const { issuer, verify } = await follow('feed')
    issuer.keys.push(await makeKey('key-2'))
    const exp = issuer.time.issuerMs / 1000 + 3600
    const before = await issuer.sign({ exp })
    expect(await verify(before)).toMatchObject({ ok: true })
    const stolen = withdraw(issuer)
    // The keys are fetched again in between; the answer is that of a cache.
    issuer.keys.unshift(stolen)
    issuer.fault = 'feed'
    for (let minute = 0; minute < 9; minute++) {
      issuer.time.advance(MINUTE_MS)
      await verify(before)
    }
    issuer.keys.shift()
    issuer.fault = 'none'
    issuer.time.advance(9 * MINUTE_MS)
    await verify(await issuer.sign())
    const token = which === 'new' ? await issuer.sign({}, {}, stolen) : before
    expect(await verify(token)).toMatchObject({ ok: false, status: 401 })
  })

  it('is refused after the feed began anew and no longer told of the key', async () => {
    const { issuer, verify } = await follow()
    issuer.keys.push(await makeKey('key-2'))
    const before = await issuer.sign()
    expect(await verify(before)).toMatchObject({ ok: true })
    const [stolen] = issuer.keys.splice(0, 1)
    issuer.resetCursors()
    issuer.time.advance(1000)
    await verify(before)
    expect(await verify(before)).toMatchObject({ ok: false, code: 'invalid_token' })
    expect(await verify(await issuer.sign({}, {}, stolen))).toMatchObject({ ok: false, code: 'invalid_token' })
    expect(issuer.calls.jwks).toBe(2)
  })

  it('is refused with 503 while a key set from after the gap cannot be fetched', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign()
    expect(await verify(token)).toMatchObject({ ok: true })
    const restore = answerWith(issuer, 'jwks', 503)
    issuer.resetCursors()
    issuer.time.advance(1000)
    await verify(token)
    expect(await verify(token)).toMatchObject({ ok: false, code: 'keys_unavailable' })
    restore()
    issuer.time.advance(1000)
    expect(await verify(token)).toMatchObject({ ok: true })
  })
})

describe('keys older than ten minutes', () => {
  it('wait to be fetched again', async () => {
    const { issuer, verifier } = await follow('none')
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 3600 })
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.keys = [await makeKey('key-2')]
    issuer.time.advance(10 * MINUTE_MS)
    expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'invalid_token' })
  })

  it('go on for the hour only after a fetch has just failed', async () => {
    const { issuer, verifier } = await follow('none')
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 7200 })
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.fault = 'refusing'
    issuer.time.advance(40 * MINUTE_MS)
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    expect(issuer.calls.jwks).toBe(2)
    issuer.fault = 'none'
    issuer.keys = [await makeKey('key-2')]
    issuer.time.advance(10 * MINUTE_MS)
    expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'invalid_token' })
  })
})

it('without any key, the issuer is asked again a second after it failed, then ever less often', async () => {
  const { issuer, verify } = await follow('none')
  const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 7200 })
  issuer.fault = 'refusing'
  await verify(token)
  issuer.fault = 'none'
  issuer.time.advance(1000)
  expect(await verify(token)).toMatchObject({ ok: true })

  const other = await follow('none')
  other.issuer.fault = 'refusing'
  for (let second = 0; second < 120; second++) {
    await other.verify(token)
    other.issuer.time.advance(1000)
  }
  // At 0, 1, 3, 7, 15, 31, 61 and 91 s.
  expect(other.issuer.calls.jwks).toBe(8)
})
