import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.ts'
import { bearer, createUser, json } from '../support/user.ts'

const WAVES = 8
const EACH = 64

let stack: Stack
/** Access tokens, and whether each is good. */
let tokens: readonly { readonly token: string; readonly isLive: boolean }[]

beforeAll(async () => {
  // Room for several calls of a store that answers 700 ms late.
  stack = await startStack({ env: { STORE_TIMEOUT_MS: '4000' } })
  tokens = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      const user = await createUser(stack)
      const { access_token: token, refresh_token } = await user.login()
      const isLive = i % 3 !== 0
      if (!isLive) await stack.request('/v1/logout', json({ refresh_token }))
      return { token, isLive }
    }),
  )
})
afterAll(() => stack.stop())

/** Checks all tokens in turn, so many at a time; one client in eight hangs up after a moment. */
async function wave(hangUpAfterMs?: number): Promise<string[]> {
  const outcomes = Array.from({ length: EACH }, async (_, i) => {
    const { token, isLive } = tokens[i % tokens.length] ?? { token: '', isLive: false }
    const hangsUp = hangUpAfterMs !== undefined && i % 8 === 0
    const signal = hangsUp ? { signal: AbortSignal.timeout(hangUpAfterMs) } : {}
    const answer = await stack.request('/v1/verify?fresh=1', { ...bearer(token), ...signal }).catch(() => 'hung up')
    if (typeof answer === 'string') return answer
    await answer.text()
    if (answer.status === 503) return '503'
    return answer.status === (isLive ? 204 : 401) ? 'right' : `wrong: ${answer.status}`
  })
  return Promise.all(outcomes)
}

function count(outcomes: readonly string[]): Record<string, number> {
  return Object.fromEntries([...new Set(outcomes)].map((one) => [one, outcomes.filter((o) => o === one).length]))
}

describe('checks that arrive together', () => {
  it('share calls of the store, and each gets its own answer', async () => {
    stack.forgetStoreRequests()
    const outcomes: string[] = []
    for (let i = 0; i < WAVES; i++) outcomes.push(...(await wave()))
    expect(count(outcomes)).toEqual({ right: WAVES * EACH })
    const calls = stack.storeRequests.length
    console.log(`${WAVES * EACH} checks, ${EACH} at a time, cost ${calls} store calls`)
    expect(calls).toBeLessThan((WAVES * EACH) / 4)
  })

  it('are answered whoever hangs up, be it the one whose request makes the call', async () => {
    stack.proxy.mode('delay')
    const outcomes: string[] = []
    for (let i = 0; i < WAVES; i++) outcomes.push(...(await wave(100 * i)))
    stack.proxy.mode('pass')
    const { right = 0, 'hung up': hungUp = 0 } = count(outcomes)
    expect(hungUp).toBeGreaterThan(0)
    expect(right).toBe(WAVES * EACH - hungUp)
  })

  it.each(['drop-replies', 'refuse', 'hang', 'garbage'] as const)(
    'are all refused when their call meets a store in trouble (%s), and answered again afterwards',
    async (trouble) => {
      stack.proxy.mode(trouble)
      expect(count(await wave())).toEqual({ 503: EACH })
      stack.proxy.mode('pass')
      await expect.poll(async () => count(await wave()), { timeout: 20_000 }).toEqual({ right: EACH })
    },
  )
})
