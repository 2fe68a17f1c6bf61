import { describe, expect, it } from 'vitest'
import { changeAnswers, follow } from './support/follow.ts'

describe('a page of the feed from a server whose clock is wrong', () => {
  it.each([600, -600, 1e9, 1e300])('by %d s once does no harm', async (wrongBySeconds) => {
    const { issuer, verifier, verify } = await follow()
    const gone = await issuer.sign({ sid: 'gone' })
    issuer.revoke('sid', 'gone')
    expect(await verify(gone)).toMatchObject({ code: 'revoked' })
    const restore = changeAnswers(issuer, 'revocations', (page) => {
      const seconds = issuer.time.issuerMs / 1000 + wrongBySeconds
      return { ...page, now: seconds, as_of: seconds }
    })
    issuer.time.advance(500)
    await verify(await issuer.sign())
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'feed' })
    restore()
    for (let polls = 0; polls < 10; polls++) {
      issuer.time.advance(500)
      expect(await verify(await issuer.sign())).toMatchObject({ ok: true })
      expect(await verify(gone)).toMatchObject({ code: 'revoked' })
    }
    expect(verifier.state().feed).toMatchObject({ entries: 1, failures: 1 })
  })

  it('is got over even when it was the first', async () => {
    const { issuer, verify } = await follow()
    const gone = await issuer.sign({ sid: 'gone' })
    issuer.revoke('sid', 'gone')
    const restore = changeAnswers(issuer, 'revocations', (page) => {
      const seconds = issuer.time.issuerMs / 1000 + 86_400
      return { ...page, now: seconds, as_of: seconds }
    })
    for (let polls = 0; polls < 3; polls++) {
      expect(await verify(await issuer.sign())).toMatchObject({ ok: false, code: 'expired' })
      issuer.time.advance(500)
    }
    restore()
    for (let polls = 0; polls < 3; polls++) {
      await verify(await issuer.sign())
      issuer.time.advance(500)
    }
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'feed' })
    expect(await verify(gone)).toMatchObject({ code: 'revoked' })
  })

  it('is believed when the next says the same, as after a machine stood still', async () => {
    const { issuer, verify } = await follow()
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true })
    issuer.time.issuerMs += 7 * 60_000
    issuer.time.advance(500)
    for (let polls = 0; polls < 2; polls++) {
      await verify(await issuer.sign())
      issuer.time.advance(500)
    }
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'feed' })
  })
})

it.each(['now', 'as_of', 'window_seconds'])('takes a page whose %s is not finite for none', async (name) => {
  const { issuer, verifier, verify } = await follow()
  const fetch = issuer.fetch.bind(issuer)
  issuer.fetch = async (url, init) => {
    const answer = await fetch(url, init)
    if (!url.includes('revocations')) return answer
    const text = (await answer.text()).replace(new RegExp(`"${name}":[\\d.]+`), `"${name}":1e999`)
    return { status: 200, text: async () => text }
  }
  expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'introspection' })
  expect(verifier.state().feed).toMatchObject({ failures: 1 })
})

it('without a timer, a token waits for the poll once the feed is two seconds old', async () => {
  const { issuer, verifier, verify } = await follow()
  const token = await issuer.sign({ sid: 'gone' })
  expect(await verify(token)).toMatchObject({ ok: true })
  issuer.revoke('sid', 'gone')
  issuer.time.advance(2001)
  expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'revoked' })
})

it('gives a poll up that does not end', async () => {
  const { issuer, verifier, verify } = await follow()
  let pages = 0
  changeAnswers(issuer, 'revocations', (page) => ({ ...page, more: true, cursor: `0.${(pages += 1)}` }))
  expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'introspection' })
  expect(pages).toBe(1000)
  expect(verifier.state().feed).toMatchObject({ failures: 1 })
})
