import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startStack, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, password, readTokens, refusal, type User } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2, env: { SESSIONS_PER_USER: '4' } })
})
afterAll(() => stack.stop())

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'

async function signIn({ username }: User, userAgent: string, clientId = 'app') {
  const body = { username, password, client_id: clientId }
  return readTokens(await stack.request('/v1/login', json(body, { 'User-Agent': userAgent })))
}
const listed = z.object({ sessions: z.array(z.looseObject({ session_id: z.string(), current: z.boolean() })) })
async function list(accessToken: string) {
  const answer = await stack.request('/v1/sessions', bearer(accessToken))
  expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
  return listed.parse(await answer.json()).sessions
}
const isLive = async (accessToken: string) =>
  (await stack.request('/v1/verify?fresh=1', bearer(accessToken))).status === 204
const remove = (accessToken: string, sid = '') =>
  stack.request(`/v1/sessions${sid && `/${sid}`}`, bearer(accessToken, 'DELETE'))

describe('a user', () => {
  it('sees where they are signed in: device, times, and which one this is', async () => {
    const user = await createUser(stack)
    const desktop = await signIn(user, firefox)
    await stack.advanceClock(5000)
    const phone = await signIn(user, iphone, 'vault')
    const tool = await signIn(user, 'my-own-tool/1.0')
    await stack.advanceClock(5000)
    await user.refreshed(desktop.refresh_token)
    const sessions = await list(phone.access_token)
    const now = stack.nowMs() / 1000
    expect(sessions.map(({ session_id }) => session_id)).toEqual([
      desktop.session_id,
      ...[phone, tool]
        .map(({ session_id }) => session_id)
        .toSorted((a, b) => Number(b === tool.session_id) - Number(a === tool.session_id)),
    ])
    const [first, ...others] = sessions
    expect(first).toEqual({
      session_id: desktop.session_id,
      client_id: 'app',
      device: 'Firefox on Linux',
      created_at: expect.closeTo(now - 10, -1),
      last_used_at: expect.closeTo(now, -1),
      expires_at: expect.closeTo(now + 604_800, -1),
      current: false,
    })
    expect(Number(first?.['last_used_at']) - Number(first?.['created_at'])).toBeGreaterThanOrEqual(9)
    expect(others.find(({ current }) => current)).toMatchObject({ client_id: 'vault', device: 'Safari on iOS' })
    expect(others.find(({ current }) => !current)).not.toHaveProperty('device')
  })

  it('ends one of them, which every server and verifier hears', async () => {
    const user = await createUser(stack)
    const [mine, lost] = [await signIn(user, firefox), await signIn(user, iphone)]
    expect((await remove(mine.access_token, lost.session_id)).status).toBe(204)
    expect(await isLive(lost.access_token)).toBe(false)
    expect(await refusal(await user.refresh(lost.refresh_token))).toBe('401 session_unknown')
    expect(await list(mine.access_token)).toHaveLength(1)
    expect(stack.events.findLast(({ event }) => event === 'session.ended')).toMatchObject({
      user_id: user.id,
      session_id: lost.session_id,
      by: mine.session_id,
    })
    expect((await remove(mine.access_token, mine.session_id)).status).toBe(204)
    expect(await isLive(mine.access_token)).toBe(false)
  })

  it('ends all others at once, and keeps this one', async () => {
    const user = await createUser(stack)
    const others = [await signIn(user, firefox), await signIn(user, iphone), await signIn(user, 'x')]
    const mine = await signIn(user, firefox)
    expect((await remove(mine.access_token)).status).toBe(204)
    for (const { access_token } of others) expect(await isLive(access_token)).toBe(false)
    expect(await isLive(mine.access_token)).toBe(true)
    expect((await remove(mine.access_token)).status).toBe(204)
    await user.refreshed(mine.refresh_token)
  })

  it('neither sees nor ends anybody else’s', async () => {
    const [user, other] = [await createUser(stack), await createUser(stack)]
    const [mine, theirs] = [await user.login(), await other.login()]
    expect(await refusal(await remove(mine.access_token, theirs.session_id))).toBe('404 not_found')
    expect(await refusal(await remove(mine.access_token, 'x'.repeat(500)))).toBe('404 not_found')
    await remove(mine.access_token)
    expect(await isLive(theirs.access_token)).toBe(true)
    expect((await list(mine.access_token)).map(({ session_id }) => session_id)).toEqual([mine.session_id])
  })

  it('must be signed in: an ended session sees and ends nothing', async () => {
    const user = await createUser(stack)
    const [gone, mine] = [await user.login(), await user.login()]
    await stack.request('/v1/logout', json({ refresh_token: gone.refresh_token }))
    for (const method of ['GET', 'DELETE']) {
      expect(await refusal(await stack.request('/v1/sessions', { method }))).toBe('401 token_missing')
      expect(await refusal(await stack.request('/v1/sessions', bearer(gone.access_token, method)))).toBe(
        '401 invalid_token',
      )
    }
    expect(await refusal(await remove(gone.access_token, mine.session_id))).toBe('401 invalid_token')
    expect(await isLive(mine.access_token)).toBe(true)
    expect(await refusal(await stack.request('/v1/sessions', bearer(mine.access_token, 'PUT')))).toBe(
      '405 method_not_allowed',
    )
  })

  it('may send any User-Agent: what it says is cut to a short label of plain characters', async () => {
    const user = await createUser(stack)
    for (const userAgent of [
      ' ',
      'x'.repeat(8000),
      'Firefox/1 "}] <script>',
      `Mozilla/5.0 ${'Chrome/1 '.repeat(400)}`,
    ]) {
      const { access_token } = await signIn(user, userAgent)
      const mine = (await list(access_token)).find(({ current }) => current)
      expect(z.string().default('').parse(mine?.['device'])).toMatch(/^[\x20-\x7e]{0,32}$/)
    }
  })
})

describe('with the store down', () => {
  it('nothing is listed, nothing is said to have ended', async () => {
    const user = await createUser(stack)
    const { access_token, session_id } = await user.login()
    stack.proxy.mode('refuse')
    for (const answer of [
      await stack.request('/v1/sessions', bearer(access_token)),
      await remove(access_token),
      await remove(access_token, session_id),
    ])
      expect(await refusal(answer)).toBe('503 store_unavailable')
    stack.proxy.mode('pass')
  })
})
