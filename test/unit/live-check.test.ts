import { describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../src/failure.ts'
import { createLiveCheck } from '../../src/store/live-check.ts'
import type { CheckedSession } from '../../src/store/store.ts'

const session = { clientId: 'app', roles: '', amr: '', authAtMs: 1_800_000_000_000 }
const token = { userId: 'u', sid: 's', jti: 'j' }

/** A live check over a store whose answers the test gives, one by one. */
function begin({ cacheMs = 1000, staleMs = 30_000 } = {}) {
  let nowMs = 1_800_000_000_000
  const asked: { answer(found: CheckedSession): void; fail(error: Error): void }[] = []
  const check = createLiveCheck({
    store: {
      check: () =>
        new Promise((resolve, reject) => {
          asked.push({ answer: resolve, fail: reject })
        }),
    },
    clock: { nowMs: () => nowMs },
    cacheMs,
    staleMs,
  })
  const ask = (fresh = false, jti = token.jti) => check.check({ ...token, jti }, { fresh })
  return {
    asked,
    check: ask,
    forget: () => check.forget(token.userId),
    forgetEveryone: () => check.forgetEveryone(),
    advance: (ms: number) => void (nowMs += ms),
    learn: async (jti = token.jti) => {
      const answer = ask(true, jti)
      asked.at(-1)?.answer({ status: 'live', session })
      await answer
    },
  }
}

describe('the memory of live checks', () => {
  it('never makes a yes of a no', async () => {
    const { asked, check, learn, advance } = begin()
    await learn()
    advance(1000)
    const answer = check()
    asked.at(-1)?.answer({ status: 'ended' })
    expect(await answer).toEqual({ live: false })
    const next = check()
    expect(asked).toHaveLength(3)
    asked.at(-1)?.answer({ status: 'denied' })
    expect(await next).toEqual({ live: false })
  })

  it.each(['forget', 'forgetEveryone'] as const)(
    'does not learn from a check that was under way when the session was ended here (%s)',
    async (forget) => {
      const begun = begin()
      const { asked, check } = begun
      const underWay = check()
      begun[forget]()
      asked.at(-1)?.answer({ status: 'live', session })
      await underWay
      void check()
      expect(asked).toHaveLength(2)
    },
  )

  it('gives no stale answer for a session that was ended here while the store failed', async () => {
    const { asked, check, forget, learn, advance } = begin()
    await learn()
    advance(1000)
    const underWay = check()
    forget()
    asked.at(-1)?.fail(new StoreUnavailable('down'))
    await expect(underWay).rejects.toThrow(StoreUnavailable)
  })

  it('gives a stale answer for the store’s failure only, not for a mistake of ours', async () => {
    const { asked, check, learn, advance } = begin()
    await learn()
    advance(1000)
    const wrong = check()
    asked.at(-1)?.fail(new TypeError('a mistake'))
    await expect(wrong).rejects.toThrow(TypeError)
  })

  it('trusts nothing that seems to come from the future, after the clock was set back', async () => {
    const { asked, check, learn, advance } = begin()
    await learn()
    advance(-3_600_000)
    const answer = check()
    expect(asked).toHaveLength(2)
    asked.at(-1)?.fail(new StoreUnavailable('down'))
    await expect(answer).rejects.toThrow(StoreUnavailable)
  })

  it('keeps the newest sixteen tokens of a user', async () => {
    const { asked, check, learn } = begin()
    for (let i = 0; i < 20; i++) await learn(`jti-${i}`)
    const before = asked.length
    expect(await check(false, 'jti-19')).toMatchObject({ how: 'cached' })
    expect(await check(false, 'jti-4')).toMatchObject({ how: 'cached' })
    void check(false, 'jti-3')
    expect(asked).toHaveLength(before + 1)
  })
})
