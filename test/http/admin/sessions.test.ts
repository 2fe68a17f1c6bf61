import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createAdministrator, startAdministeredStack } from '../../support/administrator.ts'
import { apiSecret, type Stack } from '../../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, refusal } from '../../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startAdministeredStack(3)
})
afterAll(() => stack.stop())

/** What both servers say of a token, from memory where they may. */
async function isLive(accessToken: string, query = '?fresh=1') {
  const statuses = [0, 1].map(async (server) => {
    const answer = await stack.requestTo(server, `/v1/verify${query}`, bearer(accessToken))
    return answer.status === 204
  })
  return Promise.all(statuses)
}
const introspect = async (token: string) =>
  bodyOf(await stack.request('/oauth/introspect', form({ token }, basic('api', apiSecret))))

describe('the sessions of a user', () => {
  it('are listed for an administrator', async () => {
    const administrator = await createAdministrator(stack)
    const user = await createUser(stack)
    const [one, two] = [await user.login(), await user.login('vault')]
    const { sessions } = await administrator.done('GET', `/users/${user.id}/sessions`)
    expect(sessions).toHaveLength(2)
    expect(sessions).toEqual(
      expect.arrayContaining([
        {
          session_id: one.session_id,
          client_id: 'app',
          created_at: expect.any(Number),
          last_used_at: expect.any(Number),
          expires_at: expect.any(Number),
        },
        expect.objectContaining({ session_id: two.session_id, client_id: 'vault' }),
      ]),
    )
    expect(await administrator.done('GET', '/users/AAAAAAAAAAAAAAAAAAAAAA/sessions')).toEqual({ sessions: [] })
  })

  it('are ended one by one', async () => {
    const administrator = await createAdministrator(stack)
    const [user, other] = [await createUser(stack), await createUser(stack)]
    const [one, two, theirs] = [await user.login(), await user.login(), await other.login()]
    await administrator.done('DELETE', `/users/${user.id}/sessions/${one.session_id}`)
    expect(await isLive(one.access_token)).toEqual([false, false])
    expect(await isLive(two.access_token)).toEqual([true, true])
    expect(stack.events.at(-1)).not.toBeUndefined()
    expect(stack.events.findLast(({ event }) => event === 'session.ended')).toMatchObject({
      user_id: user.id,
      session_id: one.session_id,
      by: `user:${administrator.id}`,
    })
    for (const sid of [one.session_id, theirs.session_id, 'x'.repeat(300)])
      expect(await refusal(await administrator.call('DELETE', `/users/${user.id}/sessions/${sid}`))).toBe(
        '404 not_found',
      )
    expect(await isLive(theirs.access_token)).toEqual([true, true])
  })

  it('are ended all at once, also when there are none', async () => {
    const administrator = await createAdministrator(stack)
    const user = await createUser(stack)
    const tokens = [await user.login(), await user.login(), await user.login()]
    for (let times = 0; times < 2; times++) await administrator.done('DELETE', `/users/${user.id}/sessions`)
    for (const { access_token, refresh_token } of tokens) {
      expect(await isLive(access_token)).toEqual([false, false])
      expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_unknown')
    }
    await user.login()
  })
})

describe('the end of every session of everyone', () => {
  it('reaches all users on all servers, the administrator too, and all may sign in again', async () => {
    const administrator = await createAdministrator(stack)
    const users = await Promise.all(Array.from({ length: 8 }, () => createUser(stack)))
    const tokens = await Promise.all(users.map((user) => user.login()))
    for (const { access_token } of tokens) expect(await isLive(access_token, '')).toEqual([true, true])
    await administrator.done('DELETE', '/sessions', { everyone: true })
    for (const [i, { access_token, refresh_token }] of tokens.entries()) {
      expect(await isLive(access_token)).toEqual([false, false])
      expect(await introspect(access_token)).toEqual({ active: false })
      expect((await users[i]?.refresh(refresh_token))?.status).toBe(401)
    }
    expect(await refusal(await administrator.call('GET', '/accounts'))).toBe('401 invalid_token')
    expect(stack.events.find(({ event }) => event === 'everyone.ended')).toMatchObject({
      by: `user:${administrator.id}`,
      level: 'warn',
    })
    for (const user of users) {
      const { access_token, refresh_token } = await user.login()
      expect(await isLive(access_token)).toEqual([true, true])
      await user.refreshed(refresh_token)
    }
  })

  it('is told to verifiers in the feed, as JSON and as events: one entry for each bucket', async () => {
    const administrator = await createAdministrator(stack)
    const beforeMs = stack.nowMs()
    await administrator.done('DELETE', '/sessions', { everyone: true })
    const entry = z.object({ kind: z.string(), id: z.string(), exp: z.number(), before: z.number().optional() })
    const page = z.object({ entries: z.array(entry), cursor: z.string() })
    const ends = ({ entries }: z.infer<typeof page>) => entries.filter(({ kind }) => kind === 'all')
    await stack.advanceClock(1000)
    const headers = basic('api', apiSecret)
    const told = page.parse(await (await stack.request('/v1/revocations', { headers })).json())
    const last = ends(told).slice(-1)[0]
    const same = ends(told).filter(({ id }) => id === last?.id)
    expect(same).toHaveLength(4)
    for (const { id, exp, before = 0 } of same) {
      expect(id).toMatch(/^[\w-]{8}$/)
      expect(before).toBeGreaterThanOrEqual(Math.floor(beforeMs / 1000))
      expect(exp).toBeGreaterThan(before + 300)
    }
    const events = await stack.request('/v1/revocations', { headers: { ...headers, Accept: 'text/event-stream' } })
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
    const { value = '' } = (await reader?.read()) ?? {}
    await reader?.cancel()
    expect(value).toContain(JSON.stringify(same[0]))
  })

  it('is demanded in so many words', async () => {
    const administrator = await createAdministrator(stack)
    for (const body of [undefined, {}, { everyone: false }, { everyone: 'true' }, { everyone: true, user_id: 'x' }])
      expect(await refusal(await administrator.call('DELETE', '/sessions', body))).toBe('400 bad_request')
    await administrator.done('GET', '/accounts')
  })

  it('is forgotten by the server that did it, which remembered good answers', async () => {
    const administrator = await createAdministrator(stack)
    const { access_token } = await (await createUser(stack)).login()
    const verify = () => stack.requestTo(0, '/v1/verify', bearer(access_token))
    expect((await verify()).status).toBe(204)
    const headers = { Authorization: `Bearer ${administrator.accessToken}`, 'Content-Type': 'application/json' }
    const ended = await stack.requestTo(0, '/v1/admin/sessions', {
      method: 'DELETE',
      headers,
      body: '{"everyone":true}',
    })
    expect(ended.status).toBe(204)
    expect((await verify()).status).toBe(401)
  })
})

describe('an access token that an administrator denies', () => {
  it('is dead at once, and its session goes on', async () => {
    const administrator = await createAdministrator(stack)
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    const { jti, exp } = decodeJwt(access_token)
    await administrator.done('POST', '/denials', { user_id: user.id, jti, expires_at: exp })
    expect(await isLive(access_token)).toEqual([false, false])
    expect(await introspect(access_token)).toEqual({ active: false })
    const next = await user.refreshed(refresh_token)
    expect(await isLive(next.access_token)).toEqual([true, true])
    // Once more, and without a time: it is denied already.
    await administrator.done('POST', '/denials', { user_id: user.id, jti })
    const { jti: another } = decodeJwt(next.access_token)
    await administrator.done('POST', '/denials', { user_id: user.id, jti: another })
    expect(await isLive(next.access_token)).toEqual([false, false])
    expect(stack.events.findLast(({ event }) => event === 'token.denied')).toMatchObject({
      user_id: user.id,
      jti: another,
    })
  })

  it('must be named', async () => {
    const administrator = await createAdministrator(stack)
    for (const body of [
      { jti: 'x' },
      { user_id: 'x' },
      { user_id: 'x', jti: 'a b' },
      { user_id: 'x', jti: 'x', expires_at: '1' },
    ])
      expect(await refusal(await administrator.call('POST', '/denials', body))).toBe('400 bad_request')
  })
})
