import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../../src/failure.ts'
import { createResilience } from '../../src/store/resilience.ts'

beforeEach(() => void vi.useFakeTimers({ shouldAdvanceTime: true }))
afterEach(() => void vi.useRealTimers())

const works = () => Promise.resolve('answer')

/** A circuit that five failures have opened. */
async function opened() {
  const guarded = createResilience(800)
  const fails = () => Promise.reject(new TypeError('down'))
  for (let i = 0; i < 5; i++) await expect(guarded(fails)).rejects.toThrow(StoreUnavailable)
  await expect(guarded(works)).rejects.toThrow('circuit open')
  return guarded
}

describe('the circuit breaker of the store', () => {
  it('lets one trial through after a second, and closes when it works', async () => {
    const guarded = await opened()
    vi.advanceTimersByTime(1000)
    expect(await guarded(works)).toBe('answer')
    expect(await guarded(works)).toBe('answer')
  })

  it('refuses the others while a trial is under way', async () => {
    const guarded = await opened()
    vi.advanceTimersByTime(1000)
    const trial = guarded(() => new Promise(() => undefined))
    await expect(guarded(works)).rejects.toThrow('trial under way')
    vi.advanceTimersByTime(800)
    await expect(trial).rejects.toThrow('timed out')
    await expect(guarded(works)).rejects.toThrow('circuit open')
  })

  it('tries again when the trial has died with its request, its deadline’s timer and all', async () => {
    const guarded = await opened()
    vi.advanceTimersByTime(1000)
    const beganAtMs = Date.now()
    void guarded(() => new Promise(() => undefined))
    vi.clearAllTimers()
    vi.setSystemTime(beganAtMs + 800)
    await expect(guarded(works)).rejects.toThrow('trial under way')
    vi.setSystemTime(beganAtMs + 1100)
    expect(await guarded(works)).toBe('answer')
    expect(await guarded(works)).toBe('answer')
  })

  it.each([
    'Command 1 [ eval ] failed: WRONGTYPE Operation against a key',
    'WRONGTYPE Operation against a key',
    'Command 2 [ eval ] failed: ERR user_script:1: attempt to index a nil value',
  ])('is not opened by what one key holds: %s', async (message) => {
    const guarded = createResilience(800)
    const error = Object.assign(new Error(message), { name: 'UpstashError' })
    for (let i = 0; i < 10; i++) await expect(guarded(() => Promise.reject(error))).rejects.toThrow(StoreUnavailable)
    expect(await guarded(works)).toBe('answer')
  })
})
