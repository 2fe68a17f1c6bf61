import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { startStack, type Stack } from '../support/stack.ts'
import { bearer, bodyOf, createUser, refusal } from '../support/user.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

let stack: Stack
let direct: Redis

beforeAll(async () => {
  stack = await startStack({ servers: 5 })
  direct = new Redis(stack.redis.url, { protocol: 2 })
})
afterAll(async () => {
  direct.disconnect()
  await stack.stop()
})

const verify = (accessToken: string) => stack.request('/v1/verify?fresh=1', bearer(accessToken))

describe('refreshing', () => {
  it('exchanges the current token for its successor on any server', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const third = await user.refreshed(second.refresh_token)
    expect(new Set([first, second, third].map((tokens) => tokens.refresh_token)).size).toBe(3)
    expect(new Set([first, second, third].map((tokens) => tokens.session_id)).size).toBe(1)
    expect((await verify(third.access_token)).status).toBe(204)
  })

  it('answers 100 parallel refreshes of one token with one and the same successor', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const answers = await Promise.all(Array.from({ length: 100 }, () => user.refreshed(refresh_token)))
    const successors = new Set(answers.map((tokens) => tokens.refresh_token))
    expect(successors.size).toBe(1)
    expect(generationOf([...successors][0] ?? '')).toBe(generationOf(refresh_token) + 1)
    for (const { access_token } of answers.slice(0, 5)) expect((await verify(access_token)).status).toBe(204)
  })

  it('ends the session when a token two generations old is presented 100 times at once', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const third = await user.refreshed(second.refresh_token)
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => refusal(await user.refresh(first.refresh_token))),
    )
    expect(new Set(answers)).toEqual(new Set(['401 refresh_reused']))
    expect(await refusal(await user.refresh(third.refresh_token))).toBe('401 refresh_reused')
    expect(await refusal(await verify(third.access_token))).toBe('401 invalid_token')
  })

  it('gives a lost answer again, an hour later, to the same Idempotency-Key', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    stack.proxy.mode('drop-replies')
    expect(await refusal(await user.refresh(refresh_token, { attempt: 'a1' }))).toBe('503 store_unavailable')
    stack.proxy.mode('pass')
    await stack.advanceClock(HOUR_MS)
    const recovered = await user.refreshed(refresh_token, { attempt: 'a1' })
    expect(generationOf(recovered.refresh_token)).toBe(generationOf(refresh_token) + 1)
    expect((await user.refreshed(refresh_token, { attempt: 'a1' })).refresh_token).toBe(recovered.refresh_token)
    await user.refreshed(recovered.refresh_token)
  })

  it('takes a lost answer asked for again without a key, after the window, for reuse', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    await user.refreshed(refresh_token)
    await stack.advanceClock(11_000)
    expect(await refusal(await user.refresh(refresh_token))).toBe('401 refresh_reused')
  })

  it('gives a lost answer again without a key within the window', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const successor = await user.refreshed(refresh_token)
    await stack.advanceClock(5000)
    expect((await user.refreshed(refresh_token)).refresh_token).toBe(successor.refresh_token)
  })

  it('recovers a client whose newer token the store has forgotten', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const key = `s:{0}:${user.id}`
    const older = (await direct.get(key)) ?? ''
    const second = await user.refreshed(first.refresh_token)
    await direct.set(key, older, 'PX', DAY_MS)
    const third = await user.refreshed(second.refresh_token)
    expect(generationOf(third.refresh_token)).toBe(2)
    expect(stack.events.filter(({ event }) => event === 'refresh.recovered')).toHaveLength(1)
    await user.refreshed(third.refresh_token)
  })

  it('tells a session that a newer sign-in ended that it was superseded', async () => {
    const user = await createUser(stack)
    const older = await user.login()
    const newer = await user.login()
    expect(await refusal(await user.refresh(older.refresh_token))).toBe('401 session_superseded')
    expect(await refusal(await verify(older.access_token))).toBe('401 invalid_token')
    expect((await verify(newer.access_token)).status).toBe(204)
  })

  it('leaves one session alive of 50 parallel sign-ins, and refuses every token of the other 49', async () => {
    const user = await createUser(stack)
    const sessions = await Promise.all(Array.from({ length: 50 }, () => user.login()))
    const verified = await Promise.all(sessions.map(async (tokens) => (await verify(tokens.access_token)).status))
    expect(verified.filter((status) => status === 401)).toHaveLength(49)
    const refreshed = await Promise.all(
      sessions.map(async (tokens) => {
        const answer = await user.refresh(tokens.refresh_token)
        return answer.ok ? '200' : refusal(answer)
      }),
    )
    expect(refreshed.toSorted()).toEqual(['200', ...Array.from({ length: 49 }, () => '401 session_superseded')])
    expect(verified.indexOf(204)).toBe(refreshed.indexOf('200'))
  })

  it('lets a user keep as many sessions as SESSIONS_PER_USER says', async () => {
    const roomy = await startStack({ env: { SESSIONS_PER_USER: '2' } })
    try {
      const user = await createUser(roomy)
      const [first, second] = [await user.login(), await user.login()]
      await user.refreshed(first.refresh_token)
      await user.login()
      expect(await refusal(await user.refresh(second.refresh_token))).toBe('401 session_superseded')
    } finally {
      await roomy.stop()
    }
  })

  it('expires a session that was idle for a week', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    await stack.advanceClock(7 * DAY_MS)
    expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_expired')
  })

  it('expires a session 30 days after sign-in, however often it was refreshed', async () => {
    const user = await createUser(stack)
    let tokens = await user.login()
    for (let days = 5; days < 30; days += 5) {
      await stack.advanceClock(5 * DAY_MS)
      tokens = await user.refreshed(tokens.refresh_token)
    }
    await stack.advanceClock(5 * DAY_MS)
    expect(await refusal(await user.refresh(tokens.refresh_token))).toBe('401 session_expired')
  })

  it('shortens the last tokens of a session to its absolute end', async () => {
    const user = await createUser(stack)
    let tokens = await user.login()
    for (let days = 6; days < 30; days += 6) {
      await stack.advanceClock(6 * DAY_MS)
      tokens = await user.refreshed(tokens.refresh_token)
    }
    await stack.advanceClock(6 * DAY_MS - 100_000)
    const last = await bodyOf(await user.refresh(tokens.refresh_token))
    expect(last.expires_in).toBeLessThanOrEqual(100)
    expect(last.refresh_expires_in).toBe(last.expires_in)
  })

  it('refuses another client’s token and leaves the session alone', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    expect(await refusal(await user.refresh(refresh_token, { clientId: 'tablet' }))).toBe('401 refresh_invalid')
    await user.refreshed(refresh_token, { clientId: 'app' })
  })

  it('refuses a body that is no refresh request', async () => {
    const user = await createUser(stack)
    expect(await refusal(await user.refresh(''))).toBe('401 refresh_invalid')
    expect(await refusal(await user.refresh('rt1.'))).toBe('401 refresh_invalid')
    const { refresh_token } = await user.login()
    expect(await refusal(await user.refresh(refresh_token, { attempt: 'x'.repeat(256) }))).toBe('400 bad_request')
    await user.refreshed(refresh_token)
  })
})

/** The refresh token's own count of rotations: design section 2. */
function generationOf(token: string): number {
  return Buffer.from(token.slice('rt1.'.length), 'base64url').readUInt32BE(32)
}
