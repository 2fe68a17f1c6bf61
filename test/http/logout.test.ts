import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())

const verify = (accessToken: string) => stack.request('/v1/verify?fresh=1', bearer(accessToken))
const logout = (refreshToken: string) => stack.request('/v1/logout', json({ refresh_token: refreshToken }))

describe('signing out', () => {
  it('refuses every access token of the session at once, those from earlier refreshes too', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const third = await user.refreshed(second.refresh_token)
    for (const { access_token } of [first, second, third]) expect((await verify(access_token)).status).toBe(204)
    expect((await logout(third.refresh_token)).status).toBe(204)
    for (const { access_token } of [first, second, third])
      expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
    expect(await refusal(await user.refresh(third.refresh_token))).toBe('401 session_unknown')
  })

  it('is felt at once, without asking for a fresh answer, on the server that did it', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    const ask = () => stack.requestTo(0, '/v1/verify', bearer(access_token))
    await ask()
    expect((await ask()).headers.get('X-Session-Check')).toBe('cached')
    await stack.requestTo(0, '/v1/logout', json({ refresh_token }))
    expect(await refusal(await ask())).toBe('401 invalid_token')
  })

  it('is felt on another server once its memory of a second is over', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    const ask = () => stack.requestTo(0, '/v1/verify', bearer(access_token))
    await ask()
    await stack.requestTo(1, '/v1/logout', json({ refresh_token }))
    await stack.advanceClock(1000)
    expect(await refusal(await ask())).toBe('401 invalid_token')
  })

  it('works with the access token alone, and answers 204 to whoever repeats it', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    for (let times = 0; times < 2; times++)
      expect((await stack.request('/v1/logout', bearer(access_token, 'POST'))).status).toBe(204)
    expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
    expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_unknown')
  })

  it('works with any generation of the refresh token, since it only gives something up', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    await user.refreshed(second.refresh_token)
    expect((await logout(first.refresh_token)).status).toBe(204)
    expect(await refusal(await verify(second.access_token))).toBe('401 invalid_token')
  })

  it('leaves the newer session of the same user alone', async () => {
    const user = await createUser(stack)
    const older = await user.login()
    const newer = await user.login()
    expect((await logout(older.refresh_token)).status).toBe(204)
    expect((await stack.request('/v1/logout', bearer(older.access_token, 'POST'))).status).toBe(204)
    expect((await verify(newer.access_token)).status).toBe(204)
    await user.refreshed(newer.refresh_token)
  })

  it('answers 204 to a token that means nothing, without a store call', async () => {
    await stack.request('/readyz')
    await stack.request('/readyz')
    stack.forgetStoreRequests()
    expect((await logout('rt1.rubbish')).status).toBe(204)
    expect(stack.storeRequests).toEqual([])
  })

  it('refuses a bad access token and a caller who shows nothing', async () => {
    expect(await refusal(await stack.request('/v1/logout', bearer('rubbish', 'POST')))).toBe('401 invalid_token')
    expect(await refusal(await stack.request('/v1/logout', { method: 'POST' }))).toBe('401 token_missing')
  })

  it('ends the sessions of all tokens that it is shown', async () => {
    const [one, other] = [await createUser(stack), await createUser(stack)]
    const [mine, theirs] = [await one.login(), await other.login()]
    const headers = { Authorization: `Bearer ${theirs.access_token}` }
    const answer = await stack.request('/v1/logout', json({ refresh_token: mine.refresh_token }, headers))
    expect(answer.status).toBe(204)
    for (const { access_token } of [mine, theirs])
      expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
  })

  it('lets no refresh in flight succeed after it returned', async () => {
    for (let round = 0; round < 20; round++) {
      const user = await createUser(stack)
      const { refresh_token } = await user.login()
      const inFlight = Array.from({ length: 10 }, () => user.refresh(refresh_token))
      const out = await logout(refresh_token)
      expect(out.status).toBe(204)
      const late = await user.refresh(refresh_token)
      expect(await refusal(late)).toBe('401 session_unknown')
      for (const answer of await Promise.all(inFlight)) {
        if (!answer.ok) continue
        const { refresh_token: successor, access_token } = await readTokens(answer)
        expect(await refusal(await user.refresh(successor))).toBe('401 session_unknown')
        expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
      }
    }
  })
})
