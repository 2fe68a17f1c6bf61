import { describe, expect, it } from 'vitest'
import { createRequestLimit } from '../../src/http/request-limit.ts'

function limited(perSecond: number) {
  let nowMs = 1_800_000_000_000
  const limit = createRequestLimit(perSecond, { nowMs: () => nowMs })
  const admitted = (calls: number, clientId = 'api') =>
    Array.from({ length: calls }, () => limit.admit(clientId)).filter(({ ok }) => ok).length
  return { limit, admitted, advance: (ms: number) => void (nowMs += ms) }
}

describe('a limit of requests', () => {
  it('lets in what a second allows at once, and then evenly', () => {
    const { admitted, advance } = limited(500)
    expect(admitted(1000)).toBe(500)
    advance(10)
    expect(admitted(1000)).toBe(5)
    advance(1000)
    expect(admitted(1000)).toBe(500)
    advance(3_600_000)
    expect(admitted(1000)).toBe(500)
  })

  it('never lets in more than it should, whatever the calls and pauses', () => {
    const { admitted, advance } = limited(7)
    let [seconds, all] = [0, 0]
    for (let i = 0; i < 1000; i++) {
      const pauseMs = (i * 7919) % 400
      advance(pauseMs)
      seconds += pauseMs / 1000
      all += admitted(1 + (i % 5))
    }
    expect(all).toBeLessThanOrEqual(7 * (seconds + 1))
    expect(all).toBeGreaterThan(7 * (seconds - 1))
  })

  it('counts each client for itself, and says when to come again', () => {
    const { limit, admitted } = limited(2)
    expect(admitted(10)).toBe(2)
    expect(admitted(10, 'other-api')).toBe(2)
    expect(limit.admit('api')).toEqual({ ok: false, failure: { reason: 'too_many_attempts', retryAfterSeconds: 1 } })
  })

  it('refuses nobody who calls seldom, however often the clock is set forth and back', () => {
    const { admitted, advance } = limited(10)
    for (let i = 0; i < 100; i++) {
      advance(i % 2 === 0 ? 5000 : -4800)
      expect(admitted(1)).toBe(1)
    }
  })

  it('locks nobody out when the clock is set back', () => {
    const { admitted, advance } = limited(10)
    admitted(100)
    advance(-86_400_000)
    admitted(100)
    advance(1000)
    expect(admitted(100)).toBe(10)
  })

  it('can be turned off', () => {
    expect(limited(0).admitted(10_000)).toBe(10_000)
  })
})
